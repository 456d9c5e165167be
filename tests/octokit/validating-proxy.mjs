// A reverse proxy between the broker and the simulator that holds every request, and every answer, against GitHub's
// published descriptions. Only watches: what is wrong is forwarded all the same, and reported at the end.
//
// Input: the simulator's address is the one argument. Output: a line of JSON with the proxy's own address; after standard
// input has ended, a line with how often each route was seen and what was wrong.

import { Agent, createServer, request as send } from "node:http";
import { buffer } from "node:stream/consumers";

import * as graphql from "./graphql.mjs";
import * as rest from "./openapi.mjs";

const upstream = process.argv[2];
const agent = new Agent({ keepAlive: true });

const REST = "/api/v3";
const GRAPHQL = "/api/graphql";
/** Not of the REST API: the OAuth page, and where a redirect of a renamed repository leads. */
const UNDESCRIBED = [/^\/login\/oauth\/access_token$/, /^\/api\/v3\/repositories\/\d+$/];

const seen = {};
const violations = new Set();
const passed = new Set();

const note = (route, side, wrong) => wrong.forEach((what) => violations.add(`${route}, ${side}: ${what}`));

/** A body of JSON; undefined when there is none, or when it is a page that a proxy before GitHub wrote. */
function json(bytes, headers) {
  const isJson = /^application\/json\b/.test(headers["content-type"] ?? "");
  return bytes.length === 0 || !isJson ? undefined : JSON.parse(bytes);
}

/** Checks a request and gives back what to check its answer with. */
function watch(method, url, headers, body) {
  if (url.pathname === GRAPHQL) {
    const query = graphql.checkQuery(json(body, headers));
    note(query.route, "request", query.wrong);
    return { route: query.route, answer: (status, got) => (status === 200 ? graphql.checkAnswer(query, got) : []) };
  }
  const path = url.pathname.startsWith(`${REST}/`) ? url.pathname.slice(REST.length) : url.pathname;
  const found = rest.find(method, path);
  if (found) {
    note(found.route, "request", rest.checkRequest(found, path, url.searchParams, headers, json(body, headers)));
    return { route: found.route, answer: (status, got) => rest.checkAnswer(found, status, got) };
  }
  const route = `${method} ${url.pathname}`;
  if (UNDESCRIBED.some((known) => known.test(url.pathname))) passed.add(route);
  else violations.add(`${route}, request: GitHub has no such operation`);
  return { route, answer: () => [] };
}

/** Addresses of the simulator that a client follows become the proxy's. */
function readdressed(headers, self) {
  const changed = { ...headers };
  for (const name of ["location", "link"]) {
    if (changed[name]) changed[name] = changed[name].replaceAll(upstream, self);
  }
  return changed;
}

function forward(incoming, body, self) {
  return new Promise((resolve, reject) => {
    const headers = { ...incoming.headers, host: new URL(upstream).host };
    const options = { method: incoming.method, headers, agent };
    const outgoing = send(new URL(incoming.url, upstream), options, async (answer) => {
      const bytes = await buffer(answer).catch(reject);
      if (bytes) resolve({ status: answer.statusCode, headers: readdressed(answer.headers, self), bytes });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

const server = createServer(async (incoming, outgoing) => {
  const self = `http://127.0.0.1:${server.address().port}`;
  const body = await buffer(incoming);
  const watched = watch(incoming.method, new URL(incoming.url, upstream), incoming.headers, body);
  let answer;
  try {
    answer = await forward(incoming, body, self);
  } catch {
    // A connection that the simulator dropped is dropped here too.
    incoming.socket.destroy();
    return;
  }
  seen[watched.route] = (seen[watched.route] ?? 0) + 1;
  note(watched.route, `answer ${answer.status}`, watched.answer(answer.status, json(answer.bytes, answer.headers)));
  outgoing.writeHead(answer.status, answer.headers).end(answer.bytes);
});

server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}` }));
});
process.stdin.resume().on("end", () => {
  console.log(JSON.stringify({ seen, violations: [...violations].sort(), passed: [...passed] }));
  process.exit(0);
});
