"""The models of EmberNMT as users of PyTorch write them, for scripts/compare_pytorch.py to time.

Both take `torch` as an argument, so that the script can be read and asked for help without PyTorch. Called with source ids
`[B, S]`, target ids `[B, T]` and a mask `[B, 1, 1, S]` that is true where the source is no padding, a model gives logits
`[B, T, V]`.
"""

import math


def transformer(torch, sizes):
    """scaled_dot_product_attention; query, key and value of self-attention from one product; ReLU, tied."""
    nn, functional = torch.nn, torch.nn.functional
    width = sizes.width

    def heads(x):
        return x.view(x.shape[0], -1, sizes.heads, width // sizes.heads).transpose(1, 2)

    class Attention(nn.Module):
        def __init__(self, to_memory):
            super().__init__()
            self.to_memory = to_memory
            self.first = nn.Linear(width, width if to_memory else 3 * width)
            self.second = nn.Linear(width, 2 * width) if to_memory else None
            self.output = nn.Linear(width, width)

        def forward(self, x, memory=None, mask=None, causal=False):
            if self.to_memory:
                query, (key, value) = self.first(x), self.second(memory).chunk(2, -1)
            else:
                query, key, value = self.first(x).chunk(3, -1)
            context = functional.scaled_dot_product_attention(
                heads(query), heads(key), heads(value), mask, sizes.dropout["attention"], is_causal=causal
            )
            return self.output(context.transpose(1, 2).reshape(x.shape))

    class Layer(nn.Module):
        def __init__(self, decoder):
            super().__init__()
            self.self_attention = Attention(to_memory=False)
            self.cross_attention = Attention(to_memory=True) if decoder else None
            self.inner, self.outer = nn.Linear(width, sizes.inner), nn.Linear(sizes.inner, width)
            self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3 if decoder else 2))
            self.dropout = nn.Dropout(sizes.dropout["residual"])
            self.inner_dropout = nn.Dropout(sizes.dropout["feed_forward"])

        def add(self, x, norm, part):
            if sizes.norm_first:
                return x + self.dropout(part(norm(x)))
            return norm(x + self.dropout(part(x)))

        def network(self, x):
            return self.outer(self.inner_dropout(functional.relu(self.inner(x))))

        def forward(self, x, mask, memory=None):
            causal = memory is not None
            own_mask = None if causal else mask
            x = self.add(x, self.norms[0], lambda x: self.self_attention(x, mask=own_mask, causal=causal))
            if memory is not None:
                x = self.add(x, self.norms[1], lambda x: self.cross_attention(x, memory, mask=mask))
            return self.add(x, self.norms[-1], self.network)

    class Transformer(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(sizes.vocabulary, width)
            nn.init.normal_(self.table.weight, std=width**-0.5)
            self.encoder = nn.ModuleList(Layer(decoder=False) for _ in range(sizes.encoder_layers))
            self.decoder = nn.ModuleList(Layer(decoder=True) for _ in range(sizes.decoder_layers))
            self.dropout = nn.Dropout(sizes.dropout["embedding"])
            # Nobody has taken the norm of the last layers' sums where norms come first.
            self.last_norms = nn.ModuleList(
                nn.LayerNorm(width) if sizes.norm_first else nn.Identity() for _ in range(2)
            )
            position = torch.arange(512).unsqueeze(1).float()
            angle = position * torch.exp(torch.arange(0, width, 2).float() * (-math.log(10_000.0) / width))
            encoding = torch.zeros(512, width)
            encoding[:, 0::2], encoding[:, 1::2] = torch.sin(angle), torch.cos(angle)
            self.register_buffer("encoding", encoding)

        def embed(self, ids):
            return self.dropout(self.table(ids) * math.sqrt(width) + self.encoding[: ids.shape[1]])

        def forward(self, source, target, mask):
            memory = self.embed(source)
            for layer in self.encoder:
                memory = layer(memory, mask)
            memory = self.last_norms[0](memory)
            x = self.embed(target)
            for layer in self.decoder:
                x = layer(x, mask, memory)
            x = self.last_norms[1](x)
            return functional.linear(x, self.table.weight)

    return Transformer()


def recurrent(torch, sizes):
    """nn.LSTM, nn.GRU or nn.RNN; the encoder's input is packed; additive or multiplied scores; tied."""
    nn, functional = torch.nn, torch.nn.functional
    width = sizes.width
    cell = {"lstm": nn.LSTM, "gru": nn.GRU, "elman": nn.RNN}[sizes.cell]
    directions = 2 if sizes.bidirectional else 1
    states = 2 if sizes.cell == "lstm" else 1

    def layers(count, **options):
        # PyTorch warns of dropout between layers where there is one layer.
        dropout = sizes.dropout["residual"] if count > 1 else 0.0
        return cell(width, num_layers=count, batch_first=True, dropout=dropout, **options)

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            additive = sizes.score == "additive"
            self.query = nn.Linear(width, width, bias=False) if additive else None
            self.key = nn.Linear(width, width, bias=False) if sizes.score != "dot" else None
            self.energy = nn.Linear(width, 1, bias=False) if additive else None
            self.output = nn.Linear(2 * width, width)

        def forward(self, query, memory, mask):
            keys = self.key(memory) if self.key else memory
            if self.energy:
                both = self.query(query).unsqueeze(2) + keys.unsqueeze(1)  # [B, T, S, D]
                scores = self.energy(torch.tanh(both)).squeeze(-1)
            else:
                scores = query @ keys.transpose(1, 2)
            weights = scores.masked_fill(~mask[:, 0], float("-inf")).softmax(-1)  # [B, T, S]
            return torch.tanh(self.output(torch.cat([weights @ memory, query], -1)))

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(sizes.vocabulary, width)
            nn.init.normal_(self.table.weight, std=width**-0.5)
            half = width // directions
            self.encoder = layers(sizes.encoder_layers, hidden_size=half, bidirectional=directions == 2)
            self.bridges = nn.ModuleList(nn.Linear(width, width) for _ in range(states))
            self.decoder = layers(sizes.decoder_layers, hidden_size=width)
            self.attention = Attention() if sizes.arch == "rnn-attention" else None
            self.dropout = nn.Dropout(sizes.dropout["embedding"])

        def embed(self, ids):
            return self.dropout(self.table(ids) * math.sqrt(width))

        def first_states(self, last):
            last = last if isinstance(last, tuple) else (last,)
            first = []
            for bridge, state in zip(self.bridges, last):
                state = torch.cat(tuple(state[-directions:]), -1)  # the top layer's, both directions side by side
                state = torch.tanh(bridge(state))
                first.append(state.expand(sizes.decoder_layers, -1, -1).contiguous())
            return tuple(first) if states == 2 else first[0]

        def forward(self, source, target, mask):
            lengths = mask.view(source.shape).sum(1).cpu()
            packed = nn.utils.rnn.pack_padded_sequence(
                self.embed(source), lengths, batch_first=True, enforce_sorted=False
            )
            memory, last = self.encoder(packed)
            memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True)
            hidden, _ = self.decoder(self.embed(target), self.first_states(last))
            if self.attention:
                hidden = self.attention(hidden, memory, mask)
            return functional.linear(hidden, self.table.weight)

    return Recurrent()
