// What a script is given: one JSON object on standard input, so that no secret is among the arguments or in the
// environment, which other processes can read.

import { text } from "node:stream/consumers";

export const input = JSON.parse(await text(process.stdin));
