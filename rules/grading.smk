# From generations to verdicts.


rule grade:
    """Grade every generation of a model offline, each comparison under a hard limit."""
    input:
        generations=expand(
            "<results>/generations/{{model}}/{dataset}/{cell}.parquet",
            dataset=STUDY.datasets,
            cell=STUDY.cell_paths,
        ),
        benchmarks=expand("<results>/benchmarks/{dataset}.parquet", dataset=STUDY.datasets),
    output:
        grades="<results>/grades/{model}.parquet",
    log:
        "<logs>/grade/{model}.log",
    benchmark:
        "<results>/runtimes/grade/{model}.tsv"
    conda:
        "../envs/grading.yaml"
    threads: STUDY.threads("grading")
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        cells=lambda w, input: STUDY.cell_pattern(w.model),
        settings=SETTINGS.grade(),
        code=code_id("grading.grade"),
    shell:
        "exec python -m workflow_scripts.grading.grade --generations {params.cells:q} "
        "--benchmarks {input.benchmarks} --grades {output.grades} --threads {threads} "
        "--settings {params.settings:q} --log {log}"


rule check_golds:
    """Warn of gold answers that the grader cannot read, before anything is decoded."""
    input:
        benchmarks=expand("<results>/benchmarks/{dataset}.parquet", dataset=STUDY.datasets),
    output:
        golds="<results>/grades/golds.json",
    log:
        "<logs>/check_golds.log",
    benchmark:
        "<results>/runtimes/check_golds.tsv"
    priority: 10
    conda:
        "../envs/grading.yaml"
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        settings=SETTINGS.grade(),
        code=code_id("grading.check_golds"),
    shell:
        "exec python -m workflow_scripts.grading.check_golds --benchmarks {input.benchmarks} "
        "--golds {output.golds} --threads {threads} --settings {params.settings:q} --log {log}"


rule audit_grades:
    """On request: where math-verify judges otherwise, and unread answers by budget."""
    input:
        grades=expand("<results>/grades/{model}.parquet", model=list(STUDY.models)),
        benchmarks=expand("<results>/benchmarks/{dataset}.parquet", dataset=STUDY.datasets),
    output:
        page="<results>/audit/grades.md",
        unread="<results>/audit/unread.csv",
    log:
        "<logs>/audit_grades.log",
    benchmark:
        "<results>/runtimes/audit_grades.tsv"
    conda:
        "../envs/audit.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=code_id("grading.audit_grades"),
    shell:
        "exec python -m workflow_scripts.grading.audit_grades --grades {input.grades} "
        "--benchmarks {input.benchmarks} --page {output.page} --unread {output.unread} --log {log}"
