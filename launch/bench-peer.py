"""PyTorch's side of launch/bench-peer, which gives this text to Python with -c.

    RANK RANKS THREADS PORT

Several ranks train by DistributedDataParallel over gloo. Tells its version in a line, then for
every line on the standard input

    CELL STEPS BATCH INPUTS HIDDEN LAYERS OUTPUTS OPTIMIZER LR CLIP_NORM SECONDS

the mean milliseconds of a training step, measured for about so many seconds.
"""
import os
import sys
import time

import torch
import torch.distributed as dist
from torch import nn

N_BATCHES = 16
CELLS = {"lstm": (nn.LSTM, {}), "gru": (nn.GRU, {}), "rnn": (nn.RNN, {}),
         "rnn-relu": (nn.RNN, {"nonlinearity": "relu"})}
OPTIMIZERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "adadelta": "Adadelta",
              "adagrad": "Adagrad", "rmsprop": "RMSprop", "adamax": "Adamax", "nadam": "NAdam"}

rank, n_ranks, n_threads, port = map(int, sys.argv[1:5])


def as_rank_0_says(number):
    """All ranks must do the same, so one clock counts."""
    if n_ranks == 1:
        return number
    tensor = torch.tensor(number, dtype=torch.float64)
    dist.broadcast(tensor, 0)
    return tensor.item()


class Network(nn.Module):
    def __init__(self, cell, n_in, n_hid, n_layers, n_out):
        super().__init__()
        kind, extra = CELLS[cell]
        self.recurrent = kind(n_in, n_hid, n_layers, **extra)
        self.linear = nn.Linear(n_hid, n_out)

    def forward(self, x):
        return self.linear(self.recurrent(x)[0][-1])


class Training:
    """A model, and data that costs nothing to fetch: batches lie ready as [T][B][I]."""

    def __init__(self, cell, seq_len, batch, n_in, n_hid, n_layers, n_out, optimizer, lr,
                 clip_norm):
        rows = batch * (rank + 1) // n_ranks - batch * rank // n_ranks
        torch.manual_seed(1)
        self.model = Network(cell, n_in, n_hid, n_layers, n_out)
        if n_ranks > 1:
            self.model = nn.parallel.DistributedDataParallel(
                self.model, gradient_as_bucket_view=True)
        self.loss = nn.CrossEntropyLoss()
        self.x = [2 * torch.rand(seq_len, rows, n_in) - 1 for _ in range(N_BATCHES)]
        self.y = [torch.randint(n_out, (rows,)) for _ in range(N_BATCHES)]
        self.n_steps = 0
        self.clip_norm = clip_norm
        self.optimizer = self.faster_optimizer(OPTIMIZERS[optimizer], lr)

    def faster_optimizer(self, name, lr):
        """torch's two ways to go through the parameters: one by one, or all at once."""
        ways = []
        for foreach in False, True:
            self.optimizer = getattr(torch.optim, name)(self.model.parameters(), lr=lr,
                                                        foreach=foreach)
            self.run(2)
            ways.append((as_rank_0_says(self.run(3)), self.optimizer))
        return min(ways, key=lambda way: way[0])[1]

    def run(self, n_steps):
        """Seconds of a step."""
        if n_ranks > 1:
            dist.barrier()
        start = time.perf_counter()
        for _ in range(n_steps):
            i = self.n_steps % N_BATCHES
            self.n_steps += 1
            self.optimizer.zero_grad(set_to_none=True)
            self.loss(self.model(self.x[i]), self.y[i]).backward()
            if self.clip_norm > 0:
                nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
            self.optimizer.step()
        return (time.perf_counter() - start) / n_steps


def library_of_products():
    """Which BLAS the process has loaded: it decides how fast gru and rnn are."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        paths = {line.split()[-1] for line in maps if "/" in line}
    names = {os.path.basename(os.path.realpath(path)) for path in paths}
    return ", ".join(sorted(n for n in names if "blas" in n or "mkl_core" in n)) or "BLAS built in"


def main():
    torch.set_num_threads(n_threads)
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)
    if n_ranks > 1:
        os.environ.update(USE_LIBUV="0", GLOO_SOCKET_IFNAME="lo", MASTER_ADDR="127.0.0.1",
                          MASTER_PORT=str(port))
        dist.init_process_group("gloo", rank=rank, world_size=n_ranks)
    torch.ones(64, 64) @ torch.ones(64, 64)
    print("PyTorch", torch.__version__, "with", library_of_products(), flush=True)
    setting = training = None
    for line in sys.stdin:
        cell, *sizes, optimizer, lr, clip_norm, seconds = line.split()
        if line != setting:
            training = None  # give its memory back first
            training = Training(cell, *map(int, sizes), optimizer, float(lr),
                                float(clip_norm))
            setting = line
        n_steps = 1 + int(as_rank_0_says(float(seconds) / training.run(2)))
        print(f"{1e3 * training.run(n_steps):.4f}", flush=True)
    if n_ranks > 1:
        dist.destroy_process_group()


main()
