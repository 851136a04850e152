//! From a path and a model to an endpoint and a provider.

/// Which providers serve the models of a pattern.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// A model name in which `*` stands for any characters.
    pub model: String,
    /// Names of providers, in order of preference.
    pub providers: Vec<String>,
}
