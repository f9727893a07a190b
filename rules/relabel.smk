# Labels made here, by local models: difficulty and domains. Used where the config's `relabel` asks for
# them; on request otherwise (`snakemake regenerate_difficulty` compares with the stored labels).
# Solvers decode, cut and grade by the rules of the study's models.


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
        python("curation.ask_pool", inputs="pool decontamination", outputs="benchmark")


# A solver answers the pool, through the engine and the store of any model.
use rule generate as answer_pool with:
    input:
        model="<results>/models/{solver}/model.json",
        benchmarks="<results>/curation/asked.parquet",
    output:
        manifest="<results>/curation/solvers/{solver}/manifest.json",
    log:
        "<logs>/answer_pool/{solver}.log",
    benchmark:
        "<results>/runtimes/answer_pool/{solver}.tsv"
    wildcard_constraints:
        solver=STUDY.whole_solvers,
    resources:
        gpu=STUDY.gpus("inference"),
        mem_mb=lambda w, attempt: MEMORY.engine(w.solver, attempt),
        runtime=2880,
    params:
        settings=lambda w: SETTINGS.answer_pool(w.solver),


# A shard of a solver's answers to the pool.
use rule generate as answer_pool_shard with:
    input:
        model="<results>/models/{solver}/model.json",
        benchmarks="<results>/curation/asked.parquet",
    output:
        manifest="<results>/curation/solvers/{solver}/shards/{shard}.json",
    log:
        "<logs>/answer_pool_shard/{solver}/{shard}.log",
    benchmark:
        "<results>/runtimes/answer_pool_shard/{solver}/{shard}.tsv"
    wildcard_constraints:
        solver=STUDY.split_solvers,
        shard="|".join(STUDY.shard_names),
    resources:
        gpu=STUDY.gpus("inference"),
        mem_mb=lambda w, attempt: MEMORY.engine(w.solver, attempt),
        runtime=2880,
    params:
        settings=lambda w: SETTINGS.answer_pool_shard(w.solver, w.shard),


# One store and one manifest of a solver's shards.
use rule merge_shards as merge_pool_shards with:
    input:
        model="<results>/models/{solver}/model.json",
        benchmarks="<results>/curation/asked.parquet",
        shards=expand(
            "<results>/curation/solvers/{{solver}}/shards/{shard}.json", shard=STUDY.shard_names
        ),
    output:
        manifest="<results>/curation/solvers/{solver}/manifest.json",
    log:
        "<logs>/merge_pool_shards/{solver}.log",
    benchmark:
        "<results>/runtimes/merge_pool_shards/{solver}.tsv"
    wildcard_constraints:
        solver=STUDY.split_solvers,
    resources:
        mem_mb=16000,
        runtime=240,
    params:
        settings=lambda w: SETTINGS.answer_pool(w.solver),


# A solver's answers to the pool.
use rule cut as cut_pool with:
    input:
        manifest="<results>/curation/solvers/{solver}/manifest.json",
        model="<results>/models/{solver}/model.json",
        benchmark="<results>/curation/asked.parquet",
    output:
        cells="<results>/curation/solvers/{solver}/pool/natural/infinite.parquet",
    log:
        "<logs>/cut_pool/{solver}.log",
    benchmark:
        "<results>/runtimes/cut_pool/{solver}.tsv"
    resources:
        mem_mb=16000,
        runtime=60,
    params:
        settings=lambda w: SETTINGS.cut_pool(w.solver),


# Verdicts on a solver's answers to the pool.
use rule grade as grade_pool with:
    input:
        generations="<results>/curation/solvers/{solver}/pool/natural/infinite.parquet",
        benchmarks="<results>/curation/asked.parquet",
        imported=[],
    output:
        grades="<results>/curation/solvers/{solver}/grades.parquet",
    log:
        "<logs>/grade_pool/{solver}.log",
    benchmark:
        "<results>/runtimes/grade_pool/{solver}.tsv"
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        generations=lambda w, input: input.generations,


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
        python(
            "curation.regenerate_difficulty",
            inputs="pool decontamination grades",
            outputs="difficulty agreement",
        )


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
        gpu=STUDY.gpus("inference"),
        mem_mb=lambda w, attempt: MEMORY.engine("classifier", attempt),
        runtime=480,
    params:
        settings=SETTINGS.classify_domains(),
        code=code_id("curation.classify_domains"),
    shell:
        python(
            "curation.classify_domains",
            inputs="pool model",
            outputs="labelled counts",
            granted="gpus",
        )
