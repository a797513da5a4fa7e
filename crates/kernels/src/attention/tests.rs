use super::*;
use crate::testing::{Case, Input, Layout};

/// Sizes of a case.
#[derive(Debug, Clone)]
struct Sizes {
    batch: usize,
    queries: usize,
    /// `None`: queries attend to themselves.
    keys: Option<usize>,
    heads: usize,
    d_k: usize,
    /// `None`: look-ahead.
    lengths: Option<Vec<usize>>,
}

fn case(sizes: Sizes, dropout: Dropout, layout: Layout, scale: f32) -> Case {
    let name = format!("attention {sizes:?}, {dropout:?}, {layout:?}");
    let Sizes {
        batch,
        queries,
        keys,
        heads,
        d_k,
        lengths,
    } = sizes;
    let d_model = heads * d_k;
    let inputs = match keys {
        None => vec![Input::new([batch, queries, 3 * d_model])],
        Some(keys) => vec![
            Input::new([batch, queries, d_model]),
            Input::new([batch, keys, 2 * d_model]),
        ],
    };
    let mask = lengths.map_or(Mask::LookAhead, |lengths| Mask::Padding(lengths.into()));
    let heads = Heads { count: heads, dropout };
    let own = keys.is_none();
    let run = |function: fn(Projections, &Mask, Heads) -> Tensor<3>| -> crate::testing::Operation {
        let mask = mask.clone();
        Box::new(move |inputs| {
            let projections = if own {
                Projections::Own(inputs.get(0))
            } else {
                Projections::Memory(inputs.get(0), inputs.get(1))
            };
            function(projections, &mask, heads)
        })
    };
    Case {
        name,
        inputs: inputs
            .into_iter()
            .map(|input| input.lying(layout).up_to(scale))
            .collect(),
        fused: run(attention),
        reference: run(reference::attention),
        bound: 1e-5,
    }
}

/// Batch, queries, heads, d_k, and lengths: a single key left and none, padding only at the end, no padding.
fn own() -> Vec<Sizes> {
    [
        (1, 1, 1, 1, vec![1]),
        (1, 1, 2, 5, vec![1]),
        (2, 7, 3, 1, vec![7, 1]),
        (1, 32, 2, 3, vec![32]),
        (2, 33, 1, 5, vec![33, 32]),
        (3, 64, 2, 16, vec![64, 1, 63]),
        (2, 31, 2, 33, vec![1, 30]),
        (2, 65, 4, 8, vec![65, 33]),
        (3, 6, 2, 5, vec![6, 0, 4]),
    ]
    .into_iter()
    .flat_map(|(batch, queries, heads, d_k, lengths)| {
        let sizes = Sizes {
            batch,
            queries,
            keys: None,
            heads,
            d_k,
            lengths: Some(lengths),
        };
        [
            Sizes {
                lengths: None,
                ..sizes.clone()
            },
            sizes,
        ]
    })
    .collect()
}

/// The same with keys apart.
fn to_memory() -> Vec<Sizes> {
    [
        (1, 1, 1, 1, 1, vec![1]),
        (1, 1, 32, 2, 5, vec![7]),
        (2, 32, 1, 3, 1, vec![1, 1]),
        (3, 5, 64, 2, 3, vec![64, 1, 63]),
        (2, 64, 33, 1, 33, vec![33, 1]),
        (2, 13, 65, 4, 8, vec![31, 65]),
        (3, 4, 7, 3, 5, vec![0, 7, 0]),
    ]
    .into_iter()
    .map(|(batch, queries, keys, heads, d_k, lengths)| Sizes {
        batch,
        queries,
        keys: Some(keys),
        heads,
        d_k,
        lengths: Some(lengths),
    })
    .chain([Sizes {
        batch: 2,
        queries: 17,
        keys: Some(17),
        heads: 3,
        d_k: 5,
        lengths: None,
    }])
    .collect()
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for sizes in own().into_iter().chain(to_memory()) {
        for dropout in [Dropout::OFF, Dropout::new(0.3, 11)] {
            cases.push(case(sizes.clone(), dropout, Layout::RowMajor, 1.0));
        }
        // Scores far apart.
        cases.push(case(sizes, Dropout::OFF, Layout::RowMajor, 3.0));
    }
    for layout in [Layout::Turned, Layout::Sliced, Layout::Offset, Layout::Expanded] {
        for sizes in [own()[4].clone(), own()[5].clone(), to_memory()[3].clone()] {
            cases.push(case(sizes, Dropout::new(0.1, 3), layout, 1.0));
        }
    }
    cases
}

#[test]
fn fused_attention_is_the_plain_one() {
    cases().iter().for_each(Case::agrees_with_its_reference);
}

#[test]
fn gradients_are_slopes() {
    for sizes in own().into_iter().chain(to_memory()) {
        for dropout in [Dropout::OFF, Dropout::new(0.2, 5)] {
            case(sizes.clone(), dropout, Layout::RowMajor, 1.0).has_its_slopes_as_gradients();
        }
    }
}

#[test]
fn threads_change_no_bit() {
    for sizes in own().into_iter().chain(to_memory()) {
        case(sizes, Dropout::new(0.2, 5), Layout::RowMajor, 1.0).does_not_depend_on_threads();
    }
}

#[test]
#[should_panic(expected = "width 10 is not divisible by 3 heads")]
fn heads_that_do_not_fit_are_refused() {
    let rows = Tensor::<3>::ones([1, 1, 30], &Device::flex());
    let heads = Heads {
        count: 3,
        dropout: Dropout::OFF,
    };
    attention(Projections::Own(rows), &Mask::LookAhead, heads);
}

/// Padding may hold anything: neither results nor gradients read it.
#[test]
fn what_stands_behind_a_sentence_changes_nothing() {
    let [queries, keys, d_model] = [3, 5, 6];
    let results = |padding: f32| {
        let device = Device::flex().autodiff();
        let mut memory = crate::testing::numbers(keys * 2 * d_model, 2);
        memory[2 * 2 * d_model..].fill(padding);
        let query = TensorData::new(crate::testing::numbers(queries * d_model, 1), [1, queries, d_model]);
        let query = Tensor::<3>::from_data(query, &device).require_grad();
        let memory = Tensor::<3>::from_data(TensorData::new(memory, [1, keys, 2 * d_model]), &device).require_grad();
        let heads = Heads {
            count: 2,
            dropout: Dropout::OFF,
        };
        let mask = Mask::Padding([2].into());
        let output = attention(Projections::Memory(query.clone(), memory.clone()), &mask, heads);
        let gradients = (output.clone() * output.clone()).sum().backward();
        let gradient = |x: Tensor<3>| crate::testing::values(x.grad(&gradients).expect("a gradient"));
        [crate::testing::values(output), gradient(query), gradient(memory)]
    };
    let expected = results(0.0);
    assert!(
        expected[2][2 * 2 * d_model..].iter().all(|x| *x == 0.0),
        "padding has no gradient"
    );
    assert_eq!(results(1e30), expected);
    assert_eq!(results(f32::NAN), expected);
}
