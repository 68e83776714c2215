//! What users and scripts see: names, messages, exit statuses, attributes.
//!
//! One program of many modules, since each further one would have to be linked. The program runs
//! in folders of their own; unless a test says otherwise its standard input is empty.

mod support;

mod cli {
    mod attributes;
    mod basics;
    mod callers;
    mod damage;
    mod endings;
    mod environment;
    mod formats;
    mod growing;
    mod kinds;
    mod list;
    mod many;
    mod options;
    mod overwrite;
    mod pigz;
    mod recursive;
    mod refusals;
    mod verbose;
}
