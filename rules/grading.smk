# From generations to verdicts.


rule grade:
    """Grade every generation of a model offline, each comparison under a hard limit."""
    input:
        generations=lambda w: STUDY.cells_of(w.model),
        benchmarks=STUDY.benchmark_tables,
        imported=lambda w: STUDY.import_table(w.model),
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
        generations=lambda w, input: STUDY.cell_patterns(w.model),
        settings=SETTINGS.grade(),
        code=code_id("grading.grade"),
    shell:
        python(
            "grading.grade",
            inputs="benchmarks imported",
            outputs="grades",
            params="generations settings",
            granted="threads",
        )


rule check_golds:
    """Warn of gold answers that the grader cannot read, before anything is decoded."""
    input:
        benchmarks=STUDY.benchmark_tables,
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
        python(
            "grading.check_golds",
            inputs="benchmarks",
            outputs="golds",
            granted="threads",
        )


rule audit_grades:
    """On request: where math-verify judges otherwise, and unread answers by budget."""
    input:
        grades=STUDY.grade_tables,
        benchmarks=STUDY.benchmark_tables,
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
        python(
            "grading.audit_grades",
            inputs="grades benchmarks",
            outputs="page unread",
            params="",
        )
