//! Runs a network: in pure Rust (`rten`), or by ONNX Runtime's own library where its path is given.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ort::session::{Session, SessionInputValue};
use ort::value::Tensor;
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
        Some(library) => Ok(Box::new(Ort::new(&network, library, threads)?)),
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

/// ONNX Runtime: faster by a third to a half, with all operators, in a library of its own.
#[derive(Debug)]
struct Ort {
    /// It runs one window at a time, on all its threads.
    session: Mutex<Session>,
    inputs: Vec<(String, Input)>,
    output: String,
}

impl Ort {
    fn new(network: &[u8], library: &Path, threads: usize) -> Result<Self, String> {
        // A process has one library.
        static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
        let first = LIBRARY.get_or_init(|| library.to_owned());
        if first != library {
            let (first, other) = (first.display(), library.display());
            return Err(format!("ONNX Runtime is {first} already, not {other}"));
        }
        if !library.is_file() {
            return Err(format!("there is no library {}", library.display()));
        }
        let loaded = ort::init_from(library).map_err(|error| error.to_string())?;
        let session = loaded.build().and_then(|environment| {
            let builder = Session::builder(&environment)?;
            let mut builder = builder.with_intra_threads(threads)?;
            builder.commit_from_memory(network)
        });
        let session = session.map_err(|error| error.to_string())?;
        let inputs = session.inputs().iter().map(|input| {
            let name = input.name().to_owned();
            let input = Input::of(&name)?;
            Ok((name, input))
        });
        let inputs: Result<_, String> = inputs.collect();
        let outputs = session.outputs();
        let logits = outputs.iter().find(|output| output.name() == "logits");
        let output = logits.or_else(|| outputs.first());
        let output = output.map(|output| output.name().to_owned());
        Ok(Self {
            inputs: inputs?,
            output: output.ok_or("it has no output")?,
            session: Mutex::new(session),
        })
    }
}

impl Runtime for Ort {
    fn run(&self, tokens: &[u32]) -> Result<Vec<f32>, String> {
        let failed = |error: ort::Error| error.to_string();
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> = Vec::new();
        for (name, input) in &self.inputs {
            let values: Vec<i64> = input.values(tokens, i64::from);
            let tensor = Tensor::from_array(([1, tokens.len()], values)).map_err(failed)?;
            inputs.push((name, tensor.into()));
        }
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = session.run(inputs).map_err(failed)?;
        let output = outputs.get(&self.output).ok_or("it gives no output")?;
        let (_, logits) = output.try_extract_tensor::<f32>().map_err(failed)?;
        Ok(logits.to_vec())
    }
}
