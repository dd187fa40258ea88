"""llama_cpp_answers.py GGUF OURS: greedy answers of llama.cpp beside ours, for check-llama-cpp.sh.

Each picture is given twice: as its file, which llama.cpp resizes itself, and fitted to the encoder's size by us.
"""

import ctypes
import json
import os
import struct
import sys
from pathlib import Path

import llama_cpp
import numpy as np
from llama_cpp import mtmd_cpp

CONTEXT = 2048
MAX_TOKENS = 24


def main(folder: Path, ours: Path) -> int:
    files = sorted(folder.glob("*.gguf"))
    (projector,) = [file for file in files if file.name.startswith("mmproj-")]
    (language,) = [file for file in files if file != projector]
    tools = Tools(language, projector)
    cases = json.loads((ours / "cases.json").read_text())
    rows = [tools.compare(case, read_tensors(ours / f"{i}.safetensors")) for i, case in enumerate(cases)]
    result = {
        "llamaCppPython": llama_cpp.__version__,
        "file": language.name,
        "cases": len(rows),
        "samePromptIds": sum(row["promptIds"] for row in rows),
        "sameAnswersFitted": sum(row["fitted"]["same"] for row in rows),
        "sameAnswersFile": sum(row["file"]["same"] for row in rows),
        "worstVisual": max(row["fitted"]["visual"] for row in rows),
        "worstLogitFitted": max(row["fitted"]["logit"] for row in rows),
        "worstLogitFile": max(row["file"]["logit"] for row in rows),
    }
    print(json.dumps(result))
    same = result["samePromptIds"] == len(rows) and result["sameAnswersFitted"] == len(rows)
    return 0 if same else 1


def read_tensors(path: Path) -> dict:
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    types = {"F32": np.float32, "I32": np.int32}
    return {
        name: np.frombuffer(data[8 + size + entry["data_offsets"][0] : 8 + size + entry["data_offsets"][1]], types[entry["dtype"]]).reshape(
            entry["shape"]
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }


class Tools:
    """A language model and its mmproj file."""

    def __init__(self, language: Path, projector: Path):
        # Weights stay as they lie in the file: where the system withholds AMX, llama.cpp's layout for it crashes.
        options = llama_cpp.llama_model_default_params()
        options.use_extra_bufts = False
        self.model = llama_cpp.llama_model_load_from_file(str(language).encode(), options)
        if self.model is None:
            raise SystemExit(f"llama.cpp does not open {language}")
        context = llama_cpp.llama_context_default_params()
        context.n_ctx = context.n_batch = CONTEXT
        context.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        context.n_threads = context.n_threads_batch = os.cpu_count()
        self.context = llama_cpp.llama_init_from_model(self.model, context)
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.size = llama_cpp.llama_vocab_n_tokens(self.vocab)
        params = mtmd_cpp.mtmd_context_params_default()
        params.use_gpu = False
        params.print_timings = False
        self.mtmd = mtmd_cpp.mtmd_init_from_file(str(projector).encode(), self.model, params)
        if self.mtmd is None:
            raise SystemExit(f"llama.cpp does not open {projector}")

    def compare(self, case: dict, tensors: dict) -> dict:
        fitted = tensors["fitted"].astype(np.uint8)
        row = {"picture": case["picture"], "ours": case["answer"]}
        for name, bitmap in (("fitted", bitmap_of(fitted)), ("file", self.open(case["picture"]))):
            row[name], ids = self.answer(case, tensors, bitmap)
            mtmd_cpp.mtmd_bitmap_free(bitmap)
        # Of the same length, and equal but for the rows of the image.
        expected = tensors["input_ids"].ravel().tolist()
        image = [i for i, token in enumerate(ids) if token is None]
        row["promptIds"] = len(ids) == len(expected) and all(
            token == expected[i] for i, token in enumerate(ids) if i not in image
        )
        print(json.dumps(row), file=sys.stderr)
        return row

    def open(self, path: str):
        opened = mtmd_cpp.mtmd_helper_bitmap_init_from_file(self.mtmd, path.encode(), False)
        return getattr(opened, "bitmap", opened)

    def answer(self, case: dict, tensors: dict, bitmap) -> tuple:
        chunks = self.tokenize(case["prompt"], bitmap)
        ids, visual = self.look(chunks, tensors["visual"])
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        past = llama_cpp.llama_pos(0)
        code = mtmd_cpp.mtmd_helper_eval_chunks(
            self.mtmd, self.context, chunks, 0, 0, CONTEXT, True, ctypes.byref(past)
        )
        if code != 0:
            raise SystemExit(f"mtmd_helper_eval_chunks: {code}")
        mtmd_cpp.mtmd_input_chunks_free(chunks)
        first = self.logits()
        answer = self.greedy(first)
        return {
            "same": answer == case["answerIds"],
            "answer": self.text(answer),
            "visual": visual,
            "logit": float(np.abs(first - tensors["logits"][-1]).max()),
        }, ids

    def tokenize(self, prompt: str, bitmap):
        text = prompt.replace("<image>", mtmd_cpp.mtmd_default_marker().decode()).encode()
        given = mtmd_cpp.mtmd_input_text(text=text, text_len=len(text), add_special=True, parse_special=True)
        chunks = mtmd_cpp.mtmd_input_chunks_init()
        bitmaps = (mtmd_cpp.mtmd_bitmap_p_ctypes * 1)(bitmap)
        code = mtmd_cpp.mtmd_tokenize(self.mtmd, chunks, ctypes.byref(given), bitmaps, 1)
        if code != 0:
            raise SystemExit(f"mtmd_tokenize: {code}")
        return chunks

    def look(self, chunks, expected: np.ndarray) -> tuple:
        """Token ids of a prompt, None for rows of the image; the largest difference of its visual embeddings to ours."""
        ids, difference = [], 0.0
        for i in range(mtmd_cpp.mtmd_input_chunks_size(chunks)):
            chunk = mtmd_cpp.mtmd_input_chunks_get(chunks, i)
            count = mtmd_cpp.mtmd_input_chunk_get_n_tokens(chunk)
            if mtmd_cpp.mtmd_input_chunk_get_type(chunk) == mtmd_cpp.MTMD_INPUT_CHUNK_TYPE_TEXT:
                size = ctypes.c_size_t()
                tokens = mtmd_cpp.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(size))
                ids.extend(tokens[: size.value])
                continue
            ids.extend([None] * count)
            mtmd_cpp.mtmd_encode_chunk(self.mtmd, chunk)
            output = mtmd_cpp.mtmd_get_output_embd(self.mtmd)
            seen = np.ctypeslib.as_array(output, (count * expected.shape[1],)).reshape(count, -1)
            difference = float(np.abs(seen - expected).max()) if seen.shape == expected.shape else float("inf")
        return ids, difference

    def logits(self) -> np.ndarray:
        values = llama_cpp.llama_get_logits_ith(self.context, -1)
        return np.ctypeslib.as_array(values, (self.size,)).copy()

    def text(self, ids: list) -> str:
        room = ctypes.create_string_buffer(64 * MAX_TOKENS)
        tokens = (llama_cpp.llama_token * len(ids))(*ids)
        size = llama_cpp.llama_detokenize(self.vocab, tokens, len(ids), room, len(room), False, False)
        return room.raw[: max(size, 0)].decode("utf-8", "replace")

    def greedy(self, logits: np.ndarray) -> list:
        answer = []
        while len(answer) < MAX_TOKENS:
            token = int(logits.argmax())
            if llama_cpp.llama_vocab_is_eog(self.vocab, token):
                break
            answer.append(token)
            batch = llama_cpp.llama_batch_get_one((llama_cpp.llama_token * 1)(token), 1)
            if llama_cpp.llama_decode(self.context, batch) != 0:
                raise SystemExit("llama_decode failed")
            logits = self.logits()
        return answer


def bitmap_of(levels: np.ndarray):
    height, width, _ = levels.shape
    data = (ctypes.c_uint8 * levels.size).from_buffer_copy(levels.tobytes())
    return mtmd_cpp.mtmd_bitmap_init(width, height, data)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
