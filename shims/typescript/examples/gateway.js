#!/usr/bin/env node
/** Judge it:  moorline run --gateway "node shims/typescript/examples/gateway.js" */
import { serve } from "../moorline-shim.js";
import { Example, OnTheHarnessDisk } from "./example.js";

serve(process.argv.includes("--disk=harness") ? OnTheHarnessDisk : Example);
