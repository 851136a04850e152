//! Runs a network: in pure Rust (`rten`), or by ONNX Runtime's own library where its path is given.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rten::{Model, NodeId, RunOptions, ThreadPool, Value};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

/// A network that maps the tokens of one window to one number a label.
pub(super) trait Runtime: fmt::Debug + Send + Sync {
    /// The numbers (logits).
    fn run(&self, tokens: &[u32]) -> Result<Vec<f32>, String>;
}

/// Reads a network; `library` is ONNX Runtime's, if that is to run it.
///
/// # Errors
/// What the runtime says is wrong with it.
pub(super) fn load(
    network: Vec<u8>,
    library: Option<&Path>,
    threads: usize,
) -> Result<Box<dyn Runtime>, String> {
    match library {
        None => Ok(Box::new(Rten::new(network, threads)?)),
        Some(_) => Err("ONNX Runtime is not available in this version".to_owned()),
    }
}

/// What an input of a network is.
#[derive(Clone, Copy, Debug)]
enum Input {
    Tokens,
    /// 1 for each token: none is padding.
    Mask,
    /// 0 for each token: there is one text.
    Types,
}

impl Input {
    /// By its name, as exporters of Hugging Face's models give it.
    fn of(name: &str) -> Result<Self, String> {
        match name {
            "input_ids" => Ok(Self::Tokens),
            "attention_mask" => Ok(Self::Mask),
            "token_type_ids" => Ok(Self::Types),
            name => Err(format!(
                "it has an input \"{name}\"; input_ids, attention_mask and token_type_ids are known"
            )),
        }
    }

    fn values<T: From<bool>>(self, tokens: &[u32], token: impl Fn(u32) -> T) -> Vec<T> {
        match self {
            Self::Tokens => tokens.iter().map(|id| token(*id)).collect(),
            Self::Mask => tokens.iter().map(|_| T::from(true)).collect(),
            Self::Types => tokens.iter().map(|_| T::from(false)).collect(),
        }
    }
}

#[derive(Debug)]
struct Rten {
    model: Model,
    inputs: Vec<(NodeId, Input)>,
    output: NodeId,
    /// Shared by windows that run at the same time.
    threads: Arc<ThreadPool>,
}

impl Rten {
    fn new(network: Vec<u8>, threads: usize) -> Result<Self, String> {
        let model = Model::load(network).map_err(|error| error.to_string())?;
        let name = |id: &NodeId| {
            let info = model.node_info(*id);
            info.and_then(|info| info.name().map(str::to_owned))
                .unwrap_or_default()
        };
        let inputs = model.input_ids().iter();
        let inputs: Result<_, String> = inputs.map(|id| Ok((*id, Input::of(&name(id))?))).collect();
        let outputs = model.output_ids();
        let logits = outputs.iter().find(|id| name(id) == "logits");
        let output = logits.or_else(|| outputs.first()).copied();
        Ok(Self {
            inputs: inputs?,
            output: output.ok_or("it has no output")?,
            threads: Arc::new(ThreadPool::with_num_threads(threads)),
            model,
        })
    }
}

impl Runtime for Rten {
    fn run(&self, tokens: &[u32]) -> Result<Vec<f32>, String> {
        let inputs = self.inputs.iter().map(|(id, input)| {
            let values = input.values(tokens, |id| i32::try_from(id).unwrap_or_default());
            let tensor = NdTensor::from_data([1, tokens.len()], values);
            (*id, Value::from(tensor).into())
        });
        let mut options = RunOptions::default();
        options.thread_pool = Some(Arc::clone(&self.threads));
        let run = self
            .model
            .run_n(inputs.collect(), [self.output], Some(options));
        let [output] = run.map_err(|error| error.to_string())?;
        let logits: NdTensor<f32, 2> = output
            .try_into()
            .map_err(|_| "its output is no table of numbers".to_owned())?;
        Ok(logits.iter().copied().collect())
    }
}
