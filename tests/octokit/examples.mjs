// Every published example of a webhook, as one JSON array on standard output: its event, its body as it would be sent, and
// the body's signature by node's own crypto.

import { createHmac } from "node:crypto";

import examples from "@octokit/webhooks-examples" with { type: "json" };

import { input } from "./input.mjs";

const { secret } = input;
const sign = (body) => `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
const deliveries = examples.flatMap(({ name, examples }) =>
  examples.map((example) => {
    const body = JSON.stringify(example);
    return { event: name, body, signature: sign(body) };
  }),
);
process.stdout.write(JSON.stringify(deliveries));
