# From a model and questions to generations. One engine job per model writes chains to a store; cheap
# jobs cut the cells out of it.

for token in STUDY.store_tokens:
    # A store has one writer: generate, merge_shards or probe_model. Shards only read it.
    workflow.register_resource(token, STUDY.shards)


rule generate:
    """Load a model once and decode every segment and answer that the store does not hold yet."""
    input:
        model="<results>/models/{model}/model.json",
        benchmarks=STUDY.benchmark_tables,
    output:
        manifest="<results>/generations/{model}/manifest.json",
    log:
        "<logs>/generate/{model}.log",
    benchmark:
        "<results>/runtimes/generate/{model}.tsv"
    wildcard_constraints:
        model=STUDY.whole_models,
    conda:
        STUDY.environment("inference")
    threads: STUDY.threads("inference")
    resources:
        **STUDY.store_tokens,
        gpu=STUDY.gpus("inference"),
        mem_mb=lambda w, attempt: MEMORY.engine(w.model, attempt),
        runtime=720,
    params:
        settings=lambda w: SETTINGS.generate(w.model),
        code=code_id("inference.generate"),
    shell:
        python(
            "inference.generate",
            inputs="model benchmarks",
            outputs="manifest",
            granted="gpus threads",
        )


# Of several jobs that share a model's questions, one: it writes a store of its own.
use rule generate as generate_shard with:
    output:
        manifest="<results>/shards/{model}/{shard}.json",
    log:
        "<logs>/generate_shard/{model}/{shard}.log",
    benchmark:
        "<results>/runtimes/generate_shard/{model}/{shard}.tsv"
    wildcard_constraints:
        model=STUDY.split_models,
        shard="|".join(STUDY.shard_names),
    resources:
        **STUDY.shard_tokens,
        gpu=STUDY.gpus("inference"),
        mem_mb=lambda w, attempt: MEMORY.engine(w.model, attempt),
        runtime=720,
    params:
        settings=lambda w: SETTINGS.generate_shard(w.model, w.shard),


rule merge_shards:
    """One store and one manifest of a model's shards."""
    input:
        model="<results>/models/{model}/model.json",
        benchmarks=STUDY.benchmark_tables,
        shards=expand("<results>/shards/{{model}}/{shard}.json", shard=STUDY.shard_names),
    output:
        manifest="<results>/generations/{model}/manifest.json",
    log:
        "<logs>/merge_shards/{model}.log",
    benchmark:
        "<results>/runtimes/merge_shards/{model}.tsv"
    wildcard_constraints:
        model=STUDY.split_models,
    conda:
        STUDY.environment("inference")
    resources:
        **STUDY.store_tokens,
        mem_mb=8000,
        runtime=120,
    params:
        settings=lambda w: SETTINGS.generate(w.model),
        code=code_id("inference.merge_shards"),
    shell:
        python("inference.merge_shards", inputs="model benchmarks shards", outputs="manifest")


for group in STUDY.cut_groups:  # models with the same cells share a rule

    rule cut:
        """Every cell of one model on one benchmark, cut from its chains."""
        name:
            group.rule
        input:
            manifest="<results>/generations/{model}/manifest.json",
            model="<results>/models/{model}/model.json",
            benchmark="<results>/benchmarks/{dataset}.parquet",
        output:
            cells=expand(
                "<results>/generations/{{model}}/{{dataset}}/{cell}.parquet", cell=group.cells
            ),
        log:
            "<logs>/cut/{model}/{dataset}.log",
        benchmark:
            "<results>/runtimes/cut/{model}/{dataset}.tsv"
        wildcard_constraints:
            model="|".join(group.models),
        group:
            group.submission
        conda:
            STUDY.environment("inference")
        resources:
            mem_mb=8000,
            runtime=30,
        params:
            settings=lambda w: SETTINGS.cut(w.model, w.dataset),
            code=code_id("inference.cut"),
        shell:
            python("inference.cut", inputs="manifest model benchmark")


rule probe_model:
    """Tokens, GPU hours, memory and disk of a model's sweep, from a measured probe."""
    input:
        model="<results>/models/{model}/model.json",
        benchmarks=STUDY.benchmark_tables,
    output:
        estimate="<results>/estimates/{model}.json",
    log:
        "<logs>/probe_model/{model}.log",
    benchmark:
        "<results>/runtimes/probe_model/{model}.tsv"
    conda:
        STUDY.environment("inference")
    threads: STUDY.threads("inference")
    resources:
        **STUDY.store_tokens,
        gpu=STUDY.gpus("inference"),
        mem_mb=lambda w, attempt: MEMORY.engine(w.model, attempt),
        runtime=60,
    params:
        settings=lambda w: SETTINGS.probe_model(w.model),
        code=code_id("inference.probe_model"),
    shell:
        python(
            "inference.probe_model",
            inputs="model benchmarks",
            outputs="estimate",
            granted="gpus threads",
        )


rule show_prompts:
    """On request, before anything is decoded: what each model is sent, id by id and by author."""
    input:
        models=STUDY.tokenizer_cards,
        benchmarks=STUDY.benchmark_tables,
    output:
        page="<results>/prompts.html",
        text="<results>/prompts.txt",
    log:
        "<logs>/show_prompts.log",
    benchmark:
        "<results>/runtimes/show_prompts.tsv"
    localrule: True
    conda:
        STUDY.environment("training")
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        settings=SETTINGS.show_prompts(),
        code=code_id("inference.show_prompts"),
    shell:
        python("inference.show_prompts", inputs="models benchmarks", outputs="page text")
