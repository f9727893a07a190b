"""Decode everything a model's cells need: one engine start, every finished segment in the store."""

import argparse
import resource
from dataclasses import asdict, replace
from typing import Any

from workflow_scripts.common.artifacts import write_json
from workflow_scripts.common.gpus import MemoryPeak
from workflow_scripts.common.job import MANY, ONE, log, run
from workflow_scripts.common.provenance import digest
from workflow_scripts.common.tables.benchmark import first_questions
from workflow_scripts.common.tables.manifests import CHAT
from workflow_scripts.inference.check import redecode
from workflow_scripts.inference.engines.base import Engine
from workflow_scripts.inference.engines.choice import (
    devices,
    engine_maker,
    explained,
    on_own_gpus,
)
from workflow_scripts.inference.manifest import build_manifest
from workflow_scripts.inference.plan import Plan
from workflow_scripts.inference.schedule import Sweep
from workflow_scripts.inference.session import DecodingSession, open_session, open_store
from workflow_scripts.inference.shards import Shard, ShardManifest
from workflow_scripts.inference.store import Store

KEPT = "what was decoded: start again to go on"


def work(args: argparse.Namespace) -> None:
    """Decode everything that the model's cells need and the store lacks."""
    settings = args.settings
    session = open_session(args.model, settings, args.threads, args.gpus)
    questions = first_questions(args.benchmarks, settings["first"])
    shard = Shard.named(settings["shard"]) if "shard" in settings else None
    if shard is not None:
        questions = [question for question in questions if shard.holds(question)]
        log.info("shard %s: %d questions", shard.name, len(questions))
    plans = [session.study.plan(question) for question in questions]
    store = open_store(session, shard)
    try:
        with explained(args.log):
            decode(session, plans, store, settings["seed"])
        if shard is None:
            manifest = build_manifest(session, plans, store, settings)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{store.path} keeps {KEPT}") from None
    finally:
        store.close()
    if shard is not None:
        found = shard_manifest(session, shard, len(questions), settings)
        write_json(args.manifest, found.to_json())
        return
    # Closing folds the write-ahead log into the file, which has its full size only then.
    whole = replace(manifest, store_bytes=session.store.stat().st_size)
    write_json(args.manifest, whole.to_json())


def shard_manifest(
    session: DecodingSession, shard: Shard, questions: int, settings: dict[str, Any]
) -> ShardManifest:
    """What rule merge_shards has to know of a shard that is finished."""
    return ShardManifest(
        session.model.name, shard.name, session.engine, questions, digest(settings)
    )


def decode(session: DecodingSession, plans: list[Plan], store: Store, seed: int) -> None:
    """Fill the store; a run that decoded something also checks a sample of prefixes."""
    make = engine_maker(session.model, session.inference, session.vocabulary, seed)
    memory = MemoryPeak(on_own_gpus(session.inference))

    def start() -> Engine:
        engine = make()
        memory.read()
        return engine

    held = devices(session.inference)
    sweep = Sweep(plans, store, start, f"generate {session.model.name}", held)
    try:
        sweep.run()
        if sweep.engine is not None:
            # A chat endpoint gives whole responses alone: no first ids to ask for again.
            if session.inference.engine.kind != CHAT:
                agreement = redecode(sweep.engine, plans, store.get, seed)
                store.note("prefix_check", asdict(agreement))
            store.note("peak_rss_mb", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
            memory.read()
            store.note("gpu_memory_mib", memory.as_facts())
    finally:
        sweep.close()
    log.info("%d tokens decoded in %.1f s", sweep.counts.decoded, sweep.counts.seconds)


def main() -> None:
    """Entry point."""
    run(
        work,
        __doc__,
        {"model": ONE, "benchmarks": MANY},
        ("manifest",),
        granted=("threads", "gpus"),
    )


if __name__ == "__main__":
    main()
