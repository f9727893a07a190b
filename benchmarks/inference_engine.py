"""The study's vLLM engine with what only benchmarks need: an empty cache, and vLLM's own loop."""

from collections.abc import Sequence

from workflow_scripts.inference.chain import Ids
from workflow_scripts.inference.vllm_engine import VllmEngine


class BenchEngine(VllmEngine):
    """VllmEngine that can forget its cache and run the offline loop of `vllm.LLM.generate`."""

    def reset(self) -> None:
        """Empty the prefix cache."""
        self._engine.reset_prefix_cache()

    def warm(self, sequences: int = 64) -> None:
        """Run a short batch, so that kernels are loaded."""
        prompts = [(tuple(range(5 + i, 105 + i)), 32) for i in range(sequences)]
        self.own_loop(prompts)

    def own_loop(self, prompts: Sequence[tuple[Ids, int]]) -> int:
        """What `vllm bench throughput` times: add all requests, step until done. Ids written."""
        from vllm.sampling_params import RequestOutputKind

        for i, (prompt, length) in enumerate(prompts):
            params = self._params(
                temperature=0.0,
                max_tokens=length,
                ignore_eos=True,
                detokenize=False,
                output_kind=RequestOutputKind.FINAL_ONLY,
            )
            self._engine.add_request(f"own {i}", {"prompt_token_ids": list(prompt)}, params)
        written = 0
        while self._engine.has_unfinished_requests():
            for result in self._engine.step():
                if result.finished:
                    written += len(result.outputs[0].token_ids)
        return written
