/**
 * The seed of properties: in CI the same for every run, so that a landing does not hang on chance;
 * elsewhere a new one each time, which is how the hunt goes on.
 */
import fc from "fast-check";

if (process.env["CI"] === "true") fc.configureGlobal({ seed: 20_100_201 });
