# Outputs of other harnesses in: models that were answered elsewhere, beside those that are decoded here.


rule import_generations:
    """Read a model's outputs that another harness made, as generations of the study's questions."""
    input:
        files=lambda w: STUDY.imported_files(w.model),
        benchmarks=STUDY.benchmark_tables,
    output:
        cells=STUDY.imported_cells,
        manifest="<results>/generations/{model}/manifest.json",
        rows="<results>/imported/{model}/rows.parquet",
        facts="<results>/imported/{model}/facts.json",
    log:
        "<logs>/import_generations/{model}.log",
    benchmark:
        "<results>/runtimes/import_generations/{model}.tsv"
    wildcard_constraints:
        model=STUDY.imported_models,
    conda:
        "../envs/exchange.yaml"
    threads: STUDY.threads("grading")
    resources:
        mem_mb=8000,
        runtime=30,
    params:
        settings=lambda w: SETTINGS.import_generations(w.model),
        code=code_id("exchange.import_generations"),
    shell:
        python(
            "exchange.import_generations",
            inputs="benchmarks",
            outputs="manifest rows facts",
            granted="threads",
        )


rule check_imports:
    """The verdicts of other harnesses beside ours, and every response on which they differ."""
    input:
        rows=STUDY.import_tables,
        facts=STUDY.import_facts,
        grades=expand("<results>/grades/{model}.parquet", model=STUDY.imported),
        benchmarks=STUDY.benchmark_tables,
    output:
        verdicts="<results>/imported/verdicts.csv",
        disagreements="<results>/imported/disagreements.csv",
    log:
        "<logs>/check_imports.log",
    benchmark:
        "<results>/runtimes/check_imports.tsv"
    conda:
        "../envs/reporting.yaml"
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        code=code_id("exchange.check_imports"),
    shell:
        python(
            "exchange.check_imports",
            inputs="rows grades",
            outputs="verdicts disagreements",
            params="",
        )
