"""llama.cpp's side of a generation, driven by lines of JSON on stdin (see turns.mjs).

The library's own functions, without the wrapper's sampling: a decode call for the prompt, then one for each token, and the
likeliest token by numpy. The key-value cache is emptied before each round.
"""
import json
import sys
import time

import llama_cpp
import numpy as np


@llama_cpp.llama_log_callback
def silent(level, text, data):
    pass


class Generator:
    def open(self, path, ids, threads):
        self.ids = ids
        # Weights stay as they lie in the file: where the system withholds AMX, llama.cpp's layout for it crashes.
        model = llama_cpp.llama_model_default_params()
        model.use_extra_bufts = False
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), model)
        context = llama_cpp.llama_context_default_params()
        context.n_ctx = context.n_batch = context.n_ubatch = 1024
        context.n_threads = context.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, context)
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        return {}

    def forward(self, ids):
        """Runs rows and gives the likeliest next token."""
        tokens = (llama_cpp.llama_token * len(ids))(*ids)
        batch = llama_cpp.llama_batch_get_one(tokens, len(ids))
        if llama_cpp.llama_decode(self.context, batch) != 0:
            raise RuntimeError("llama_decode failed")
        logits = llama_cpp.llama_get_logits_ith(self.context, -1)
        return int(np.ctypeslib.as_array(logits, shape=(self.vocabulary,)).argmax())

    def generate(self, tokens):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        begin = now()
        ids = [self.forward(self.ids)]
        first = now()
        while len(ids) < tokens:
            ids.append(self.forward(ids[-1:]))
        return {"ids": ids, "prefill": since(begin, first), "decode": since(first, now())}


def now():
    return time.perf_counter(), time.process_time()


def since(begin, end):
    return {"wall_ms": 1000 * (end[0] - begin[0]), "cpu_ms": 1000 * (end[1] - begin[1])}


def main():
    llama_cpp.llama_log_set(silent, None)
    llama_cpp.llama_backend_init()
    generator = Generator()
    for line in sys.stdin:
        call = json.loads(line)
        name = call.pop("do")
        print(json.dumps(getattr(generator, name)(**call)), flush=True)


main()
