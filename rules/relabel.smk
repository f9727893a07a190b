# Labels made here, by local models: difficulty and domains. Used where the config's `relabel` asks for
# them; on request otherwise (`snakemake regenerate_difficulty` compares with the stored labels).


rule ask_pool:
    """The rows that are left after decontamination, as a benchmark that models can answer."""
    input:
        pool=STUDY.pool_file,
        decontamination="<results>/curation/decontamination.parquet",
    output:
        benchmark="<results>/curation/asked.parquet",
    log:
        "<logs>/ask_pool.log",
    benchmark:
        "<results>/runtimes/ask_pool.tsv"
    conda:
        "../envs/grading.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=SETTINGS.ask_pool(),
        code=code_id("curation.ask_pool"),
    shell:
        "exec python -m workflow_scripts.curation.ask_pool --pool {input.pool} "
        "--decontamination {input.decontamination} --benchmark {output.benchmark} "
        "--settings {params.settings:q} --log {log}"


rule answer_pool:
    """A solver answers the pool, through the engine and the store of any model."""
    input:
        model="<results>/models/{solver}/model.json",
        asked="<results>/curation/asked.parquet",
    output:
        manifest="<results>/curation/solvers/{solver}/manifest.json",
    log:
        "<logs>/answer_pool/{solver}.log",
    benchmark:
        "<results>/runtimes/answer_pool/{solver}.tsv"
    wildcard_constraints:
        solver="|".join(STUDY.solvers) or "$^",
    conda:
        STUDY.environment("inference")
    threads: STUDY.threads("inference")
    resources:
        gpu=config["inference"]["gpus"],
        mem_mb=lambda w, attempt: MEMORY.engine(w.solver, attempt),
        runtime=2880,
    params:
        settings=lambda w: SETTINGS.answer_pool(w.solver),
        code=code_id("inference.generate"),
    shell:
        "exec python -m workflow_scripts.inference.generate --model {input.model} "
        "--benchmarks {input.asked} --manifest {output.manifest} --gpus {resources.gpu} "
        "--threads {threads} --settings {params.settings:q} --log {log}"


rule cut_pool:
    """A solver's answers to the pool."""
    input:
        manifest="<results>/curation/solvers/{solver}/manifest.json",
        model="<results>/models/{solver}/model.json",
        asked="<results>/curation/asked.parquet",
    output:
        cell="<results>/curation/solvers/{solver}/pool/natural/infinite.parquet",
    log:
        "<logs>/cut_pool/{solver}.log",
    benchmark:
        "<results>/runtimes/cut_pool/{solver}.tsv"
    conda:
        STUDY.environment("inference")
    resources:
        mem_mb=16000,
        runtime=60,
    params:
        settings=lambda w: SETTINGS.answer_pool(w.solver),
        code=code_id("inference.cut"),
    shell:
        "exec python -m workflow_scripts.inference.cut --manifest {input.manifest} "
        "--model {input.model} --benchmark {input.asked} "
        "--settings {params.settings:q} --log {log}"


rule grade_pool:
    """Verdicts on a solver's answers to the pool."""
    input:
        cell="<results>/curation/solvers/{solver}/pool/natural/infinite.parquet",
        asked="<results>/curation/asked.parquet",
    output:
        grades="<results>/curation/solvers/{solver}/grades.parquet",
    log:
        "<logs>/grade_pool/{solver}.log",
    benchmark:
        "<results>/runtimes/grade_pool/{solver}.tsv"
    conda:
        "../envs/grading.yaml"
    threads: STUDY.threads("grading")
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        settings=SETTINGS.grade(),
        code=code_id("grading.grade"),
    shell:
        "exec python -m workflow_scripts.grading.grade --generations {input.cell} "
        "--benchmarks {input.asked} --grades {output.grades} --threads {threads} "
        "--settings {params.settings:q} --log {log}"


rule regenerate_difficulty:
    """Difficulty decisions from the solvers' verdicts, and their agreement with stored labels."""
    input:
        pool=STUDY.pool_file,
        decontamination="<results>/curation/decontamination.parquet",
        grades=expand(
            "<results>/curation/solvers/{solver}/grades.parquet", solver=list(STUDY.solvers)
        ),
    output:
        difficulty="<results>/curation/difficulty_relabelled.parquet",
        agreement="<results>/curation/difficulty_agreement.json",
    log:
        "<logs>/regenerate_difficulty.log",
    benchmark:
        "<results>/runtimes/regenerate_difficulty.tsv"
    conda:
        "../envs/grading.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=SETTINGS.regenerate_difficulty(),
        code=code_id("curation.regenerate_difficulty"),
    shell:
        "exec python -m workflow_scripts.curation.regenerate_difficulty --pool {input.pool} "
        "--decontamination {input.decontamination} --grades {input.grades} "
        "--difficulty {output.difficulty} --agreement {output.agreement} "
        "--settings {params.settings:q} --log {log}"


rule classify_domains:
    """First-level MSC classes of questions, by a local model with a constrained answer."""
    input:
        pool="<results>/curation/pool.parquet",
        model="<results>/models/classifier/model.json",
    output:
        labelled="<results>/curation/pool_relabelled.parquet",
        counts="<results>/curation/domains_relabelled.json",
    log:
        "<logs>/classify_domains.log",
    benchmark:
        "<results>/runtimes/classify_domains.tsv"
    conda:
        STUDY.environment("inference")
    threads: STUDY.threads("inference")
    resources:
        gpu=config["inference"]["gpus"],
        mem_mb=lambda w, attempt: MEMORY.engine("classifier", attempt),
        runtime=480,
    params:
        settings=SETTINGS.classify_domains(),
        code=code_id("curation.classify_domains"),
    shell:
        "exec python -m workflow_scripts.curation.classify_domains --pool {input.pool} "
        "--model {input.model} --labelled {output.labelled} --counts {output.counts} "
        "--threads {threads} --gpus {resources.gpu} --settings {params.settings:q} --log {log}"
