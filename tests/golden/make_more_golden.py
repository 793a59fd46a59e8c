#!/usr/bin/env python3
"""Write the golden reference files that make_golden.py does not, in the layout of make_golden.py (whose recurrent_case and put it uses):

projection.h5  nn.LSTM with proj_size; attrs as recurrent.h5 plus proj_size (P). out, h0, h_n and their gradients
               have P features (out D*P), c0, c_n have H. weight_hh_l{k}{_reverse} [4H,P], weight_ih of layer>0 [4H,D*P],
               weight_hr_l{k}{_reverse} [P,H], no bias on the projection.
sizes.h5       recurrent_case over odd hidden sizes with ragged lengths, and with T=1, N=1.
layers.h5      layer norm, embedding, activations, losses with more settings.

usage: make_more_golden.py OUTPUT_DIR [--seed S]     needs: python3-torch, python3-h5py, make_golden.py beside this file
"""
import argparse, os
import h5py, numpy as np, torch
from torch import nn
from make_golden import put, recurrent_case

torch.set_num_threads(1)
F = torch.nn.functional


def projection_case(file, name, T, N, I, H, P, L, bidirectional, bias, custom_state, lengths=None):
    """One forward + backward pass of nn.LSTM(proj_size=P). The scalar that is differentiated is
    sum(out*grad_out) + sum(h_n*grad_h_n) + sum(c_n*grad_c_n)."""
    D = 2 if bidirectional else 1
    module = nn.LSTM(I, H, num_layers=L, bidirectional=bidirectional, bias=bias, proj_size=P)
    g = file.create_group(name)
    g.attrs.update(dict(kind="lstm", T=T, N=N, input_size=I, hidden_size=H, proj_size=P, num_layers=L,
                        bidirectional=int(bidirectional), bias=int(bias),
                        custom_state=int(custom_state), variable_length=int(lengths is not None)))
    make = torch.randn if custom_state else torch.zeros
    x = torch.randn(T, N, I, requires_grad=True)
    h0, c0 = make(L * D, N, P).requires_grad_(), make(L * D, N, H).requires_grad_()
    if lengths is not None:
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
        packed_out, (hn, cn) = module(packed, (h0, c0))
        out, _ = nn.utils.rnn.pad_packed_sequence(packed_out, total_length=T)
        put(g, "lengths", np.asarray(lengths, np.int64))
    else:
        out, (hn, cn) = module(x, (h0, c0))
    grad_out, grad_hn, grad_cn = torch.randn_like(out), torch.randn_like(hn), torch.randn_like(cn)
    ((out * grad_out).sum() + (hn * grad_hn).sum() + (cn * grad_cn).sum()).backward()
    for key, value in dict(x=x, h0=h0, c0=c0, out=out, h_n=hn, c_n=cn, grad_out=grad_out, grad_h_n=grad_hn, grad_c_n=grad_cn,
                           grad_x=x.grad, grad_h0=h0.grad, grad_c0=c0.grad).items():
        put(g, key, value)
    for pname, p in module.named_parameters():
        put(g, "param/" + pname, p), put(g, "grad/" + pname, p.grad)


def layer_norm_case(file, name, affine):
    m = nn.LayerNorm(7, elementwise_affine=affine)
    g = file.create_group(name)
    g.attrs.update(dict(eps=m.eps, affine=int(affine), normalized_shape=7))
    x = (torch.randn(5, 3, 7) * 2 + 0.5).requires_grad_()
    if affine:
        with torch.no_grad():
            m.weight.copy_(torch.randn(7)), m.bias.copy_(torch.randn(7))
    out = m(x)
    grad_out = torch.randn_like(out)
    out.backward(grad_out)
    for key, value in dict(x=x, out=out, grad_out=grad_out, grad_x=x.grad).items():
        put(g, key, value)
    if affine:
        put(g, "weight", m.weight), put(g, "bias", m.bias), put(g, "grad_weight", m.weight.grad), put(g, "grad_bias", m.bias.grad)


def embedding_case(file, name, padding_idx):
    """Ids repeat, hit the padding row and leave row 5 unused; x is int64 [5,3]."""
    m = nn.Embedding(6, 4, padding_idx=padding_idx)
    g = file.create_group(name)
    g.attrs.update(dict(num_embeddings=6, embedding_dim=4, padding_idx=-1 if padding_idx is None else padding_idx))
    x = torch.tensor([[0, 2, 1], [2, 4, 4], [3, 0, 4], [1, 2, 0], [4, 3, 3]])
    out = m(x)
    grad_out = torch.randn_like(out)
    out.backward(grad_out)
    for key, value in dict(weight=m.weight, x=x, out=out, grad_out=grad_out, grad_weight=m.weight.grad).items():
        put(g, key, value)


def activation_cases(file):
    base = torch.cat([torch.tensor([0.0, 1e-4, -1e-4, 9.0, -9.0, 30.0, -30.0]), torch.randn(13) * 2])
    for name, f in dict(tanh=torch.tanh, relu=torch.relu, sigmoid=torch.sigmoid, gelu=F.gelu,
                        gelu_tanh=lambda x: F.gelu(x, approximate="tanh")).items():
        x = base.clone().requires_grad_()
        out = f(x)
        grad_out = torch.randn_like(out)
        out.backward(grad_out)
        g = file.create_group(name)
        for key, value in dict(x=x, out=out, grad_out=grad_out, grad_x=x.grad).items():
            put(g, key, value)


def loss_cases(file):
    """As losses.h5: input, target, value, grad_input (of the value itself)."""
    z, t = torch.randn(12, 7, requires_grad=True), torch.randint(0, 7, (12,))
    t[[1, 4, 5, 11]] = -100
    y, b = torch.randn(12, 7), (torch.rand(12, 7) > 0.5).float()
    for name, f, target, settings in (
            ("cross_entropy_smooth_0p1_ignore_sum", F.cross_entropy, t, dict(label_smoothing=0.1, ignore_index=-100, reduction="sum")),
            ("cross_entropy_smooth_0p1_ignore_mean", F.cross_entropy, t, dict(label_smoothing=0.1, ignore_index=-100, reduction="mean")),
            ("smooth_l1_beta_0p5_mean", F.smooth_l1_loss, y, dict(beta=0.5, reduction="mean")),
            ("mse_sum", F.mse_loss, y, dict(reduction="sum")),
            ("l1_sum", F.l1_loss, y, dict(reduction="sum")),
            ("bce_with_logits_sum", F.binary_cross_entropy_with_logits, b, dict(reduction="sum"))):
        z.grad = None
        value = f(z, target, **settings); value.backward()
        g = file.create_group(name)
        g.attrs.update(settings)
        put(g, "input", z), put(g, "target", target), put(g, "value", value), put(g, "grad_input", z.grad)


def main():
    ap = argparse.ArgumentParser(); ap.add_argument("out"); ap.add_argument("--seed", type=int, default=20261123)
    args = ap.parse_args(); torch.manual_seed(args.seed); os.makedirs(args.out, exist_ok=True)
    with h5py.File(os.path.join(args.out, "projection.h5"), "w") as f:
        f.attrs["torch"] = str(torch.__version__)
        projection_case(f, "lstm_proj", 5, 3, 4, 6, 3, 1, False, True, False)
        projection_case(f, "lstm_proj_L2_bi", 5, 3, 4, 6, 3, 2, True, True, True)
        projection_case(f, "lstm_proj_nobias", 5, 3, 4, 6, 3, 1, False, False, True)
        projection_case(f, "lstm_proj_varlen_bi", 7, 4, 3, 5, 2, 2, True, True, True, lengths=[3, 7, 1, 6])
    with h5py.File(os.path.join(args.out, "sizes.h5"), "w") as f:
        f.attrs["torch"] = str(torch.__version__)
        for kind in ("rnn_tanh", "rnn_relu", "lstm", "gru"):
            for H in (1, 13):
                for bi in (False, True):
                    tail = f"{kind}_H{H}{'_bi' if bi else ''}"
                    recurrent_case(f, tail + "_ragged", kind, 11, 6, 5, H, 2, bi, True, True, lengths=[11, 3, 11, 1, 7, 7])
                    recurrent_case(f, tail + "_T1_N1", kind, 1, 1, 5, H, 2, bi, True, True)
            # one layer, since its 100 x 100 matrices fill the file
            recurrent_case(f, f"{kind}_H100_bi_ragged", kind, 11, 6, 5, 100, 1, True, True, True, lengths=[11, 3, 11, 1, 7, 7])
    with h5py.File(os.path.join(args.out, "layers.h5"), "w") as f:
        f.attrs["torch"] = str(torch.__version__)
        layer_norm_case(f, "layernorm", True), layer_norm_case(f, "layernorm_noaffine", False)
        embedding_case(f, "embedding_pad2", 2), embedding_case(f, "embedding", None)
        activation_cases(f)
        loss_cases(f)


if __name__ == "__main__":
    main()
