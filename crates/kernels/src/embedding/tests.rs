use super::*;
use crate::testing::{Case, Input, Layout, numbers};

/// Sizes of a case.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    /// V and W.
    table: [usize; 2],
    /// B and L.
    ids: [usize; 2],
}

fn case(sizes: Sizes, concat: bool, layout: Layout, dropout: Dropout) -> Case {
    let Sizes {
        table: [count, width],
        ids: [batch, length],
    } = sizes;
    // Some ids often, some never.
    let ids: Vec<i32> = (0..batch * length)
        .map(|place| ((place * place + place / 3) % count) as i32)
        .collect();
    let rule = EmbeddingRule {
        scale: (width as f64).sqrt(),
        positions: numbers(length * width, 50).into(),
        concat,
        dropout,
    };
    let run = |function: fn(Tensor<2>, Tensor<2, Int>, EmbeddingRule) -> Tensor<3>| -> crate::testing::Operation {
        let (ids, rule) = (ids.clone(), rule.clone());
        Box::new(move |inputs| {
            let ids = Tensor::from_data(TensorData::new(ids.clone(), [batch, length]), &inputs.device);
            function(inputs.get(0), ids, rule.clone())
        })
    };
    Case {
        name: format!("embed {sizes:?}, concat {concat}, {layout:?}, {dropout:?}"),
        inputs: vec![Input::new([count, width]).lying(layout)],
        fused: run(embed),
        reference: run(reference),
        bound: 1e-6,
    }
}

/// One id, multiples of 32, odd sizes, more ids than entries, more entries than ids.
const SIZES: [Sizes; 7] = [
    Sizes {
        table: [1, 1],
        ids: [1, 1],
    },
    Sizes {
        table: [1, 3],
        ids: [2, 5],
    },
    Sizes {
        table: [10, 32],
        ids: [1, 32],
    },
    Sizes {
        table: [7, 5],
        ids: [3, 64],
    },
    Sizes {
        table: [300, 33],
        ids: [5, 13],
    },
    Sizes {
        table: [64, 64],
        ids: [1, 1],
    },
    Sizes {
        table: [1000, 16],
        ids: [12, 64],
    },
];

fn dropouts() -> [Dropout; 2] {
    [Dropout::OFF, Dropout::new(0.3, 8)]
}

#[test]
fn fused_embedding_is_the_plain_one() {
    for concat in [false, true] {
        for dropout in dropouts() {
            for sizes in SIZES {
                case(sizes, concat, Layout::RowMajor, dropout).agrees_with_its_reference();
            }
            for layout in [Layout::Turned, Layout::Sliced, Layout::Offset, Layout::Expanded] {
                case(SIZES[3], concat, layout, dropout).agrees_with_its_reference();
            }
        }
    }
}

#[test]
fn gradients_are_slopes() {
    for concat in [false, true] {
        for dropout in dropouts() {
            for sizes in SIZES {
                case(sizes, concat, Layout::RowMajor, dropout).has_its_slopes_as_gradients();
            }
        }
    }
}

#[test]
fn threads_change_no_bit() {
    for concat in [false, true] {
        for sizes in SIZES {
            case(sizes, concat, Layout::RowMajor, Dropout::new(0.3, 8)).does_not_depend_on_threads();
        }
    }
}

#[test]
fn instructions_change_no_bit() {
    for concat in [false, true] {
        for sizes in SIZES {
            case(sizes, concat, Layout::RowMajor, Dropout::new(0.3, 8)).does_not_depend_on_instructions();
        }
    }
}

#[test]
#[should_panic(expected = "id 3 is outside a table of 3")]
fn an_id_outside_the_table_is_refused() {
    let device = Device::flex();
    let ids = Tensor::<2, Int>::from_ints([[3]], &device);
    let rule = EmbeddingRule {
        scale: 1.0,
        positions: [0.0, 0.0].into(),
        concat: false,
        dropout: Dropout::OFF,
    };
    embed(Tensor::zeros([3, 2], &device), ids, rule);
}
