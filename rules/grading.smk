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
        settings=SETTINGS.grade(),
        code=code_id("grading.grade"),
    shell:
        "python -m workflow_scripts.grading.grade --generations {input.generations} "
        "--benchmarks {input.benchmarks} --grades {output.grades} --threads {threads} "
        "--settings {params.settings:q} --log {log}"
