//! Characters that hide text: invisible ones, look-alikes, direction marks.
