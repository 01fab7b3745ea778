#!/usr/bin/env node
/** Judge it:  moorline run --gateway "node shims/typescript/examples/gateway.js" */
import { serve } from "../moorline-shim.js";
import { Example } from "./example.js";

serve(Example);
