// GitHub's published REST description (OpenAPI 3.0) as validators: which operation a request is, and what is wrong with
// it or with its answer.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

import Ajv from "ajv";

const file = createRequire(import.meta.url).resolve("@octokit/openapi/generated/api.github.com.json");
const description = JSON.parse(readFileSync(file, "utf8"));

/** What the description uses to describe formats; the others say nothing that could be checked. */
const formats = {
  "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
  date: /^\d{4}-\d\d-\d\d$/,
  uri: { type: "string", validate: (text) => URL.canParse(text) },
  "uri-template": true, email: true, int64: true, "repo.nwo": true,
};
const KEYWORDS = [
  "type", "enum", "required", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern",
  "uniqueItems", "minProperties", "maxProperties", "format",
];

const mapped = (object, change) => Object.fromEntries(Object.entries(object).map(([key, one]) => [key, change(one)]));

/**
 * An OpenAPI 3.0 schema as JSON Schema: `nullable` becomes a type, annotations are left out. Also:
 * - `oneOf` becomes `anyOf`: GitHub's alternatives overlap (a simple user is also a user), and its own answers fit several.
 * - with `closed`, an object that lists its properties has no other ones: a request must not send what is not documented.
 */
function adapt(schema, closed) {
  if (schema === true || schema === false) return schema;
  if (schema.$ref) {
    const name = schema.$ref.replace("#/components/schemas/", "");
    return { $ref: `${closed ? "closed" : "open"}#/definitions/${name}` };
  }
  const result = {};
  for (const keyword of KEYWORDS) if (keyword in schema) result[keyword] = schema[keyword];
  if (schema.properties) result.properties = mapped(schema.properties, (one) => adapt(one, closed));
  if (schema.items) result.items = adapt(schema.items, closed);
  if (schema.additionalProperties !== undefined) {
    result.additionalProperties = adapt(schema.additionalProperties, closed);
  }
  // An alternative may refine an object without naming all of it.
  const parts = [...(schema.oneOf ?? []), ...(schema.anyOf ?? []), ...(schema.allOf ?? [])];
  if (closed && schema.properties && parts.length === 0) result.additionalProperties ??= false;
  const alternatives = schema.oneOf ?? schema.anyOf;
  if (alternatives) result.anyOf = alternatives.map((one) => adapt(one, closed && !schema.properties));
  if (schema.allOf) result.allOf = schema.allOf.map((one) => adapt(one, false));
  return schema.nullable ? { anyOf: [{ type: "null" }, result] } : result;
}

function validators(closed, coerceTypes) {
  const ajv = new Ajv({ strict: false, allErrors: true, formats, coerceTypes });
  const definitions = mapped(description.components.schemas, (one) => adapt(one, closed));
  ajv.addSchema({ $id: closed ? "closed" : "open", definitions });
  const compiled = new Map();
  /** What is wrong with a value: places and rules, never the value, which may be a secret. */
  return (schema, value) => {
    if (!compiled.has(schema)) compiled.set(schema, ajv.compile(adapt(schema, closed)));
    const validate = compiled.get(schema);
    if (validate(value)) return [];
    return validate.errors.map((error) => {
      const name = error.params.additionalProperty ?? "";
      return `${error.instancePath || "/"} ${error.message} ${name}`.trim();
    });
  };
}
const wrongInAnswer = validators(false, false);
const wrongInBody = validators(true, false);
const wrongInParameter = validators(true, true);

const resolve = (thing) => {
  if (!thing.$ref) return thing;
  const [, , kind, name] = thing.$ref.split("/");
  return description.components[kind][name];
};

const escaped = (text) => text.replace(/[.*+?^$()|[\]\\]/g, "\\$&");

const deprecated = (operation) => operation.deprecated || operation.description.startsWith("**Deprecated**");

/**
 * Every operation with the pattern of its path; the more literal ones first, as `/pulls/comments` and `/pulls/{n}`.
 * A deprecated one is none: the broker must not begin to depend on it.
 */
const operations = Object.entries(description.paths).flatMap(([template, methods]) =>
  Object.entries(methods).filter(([, operation]) => !deprecated(operation)).map(([method, operation]) => {
    const parameters = (operation.parameters ?? []).map(resolve);
    const spread = (name) => parameters.find((one) => one.name === name)?.["x-multi-segment"];
    const pattern = escaped(template).replace(/\{([^}]+)\}/g, (_, name) => (spread(name) ? "(.+)" : "([^/]+)"));
    return {
      method: method.toUpperCase(), route: `${method.toUpperCase()} ${template}`, operation, parameters,
      names: [...template.matchAll(/\{([^}]+)\}/g)].map((match) => match[1]),
      pattern: new RegExp(`^${pattern}$`), literal: template.replace(/\{[^}]+\}/g, "").length,
    };
  }),
).sort((a, b) => b.literal - a.literal);

/** The operation of a request, or nothing if GitHub has none. `path` is below the API's base, without the query. */
export function find(method, path) {
  return operations.find((one) => one.method === method && one.pattern.test(path));
}

/** What is wrong with a request. `body` is parsed JSON, or undefined. */
export function checkRequest(found, path, query, headers, body) {
  const wrong = [];
  const values = found.pattern.exec(path).slice(1).map(decodeURIComponent);
  for (const parameter of found.parameters) {
    const value = parameter.in === "path" ? values[found.names.indexOf(parameter.name)] : query.get(parameter.name);
    if (value === null || value === undefined) {
      if (parameter.required) wrong.push(`the parameter ${parameter.name} is missing`);
      continue;
    }
    const holder = { type: "object", properties: { [parameter.name]: parameter.schema } };
    wrong.push(...wrongInParameter(cached(parameter, holder), { [parameter.name]: value }));
  }
  for (const name of query.keys()) {
    const known = found.parameters.some((one) => one.in === "query" && one.name === name);
    if (!known) wrong.push(`the query parameter ${name} is not documented`);
  }
  wrong.push(...wrongHeaders(found, headers, body !== undefined));
  const documented = found.operation.requestBody;
  if (body === undefined) {
    if (documented?.required) wrong.push("the body is missing");
  } else if (!documented) {
    wrong.push("a body is sent where none is documented");
  } else {
    wrong.push(...wrongInBody(documented.content["application/json"].schema, body));
  }
  return wrong;
}

const holders = new Map();
/** The same object for the same parameter, so that it is compiled once. */
function cached(parameter, holder) {
  if (!holders.has(parameter)) holders.set(parameter, holder);
  return holders.get(parameter);
}

/** How a route is called, as its description says in words. */
function scheme(route) {
  if (/ \/applications\/\{client_id\}\//.test(route)) {
    return { name: "client id and secret", form: /^Basic [A-Za-z0-9+/]+=*$/ };
  }
  if (route === "POST /credentials/revoke") return { name: "absent", form: /^$/ };
  return { name: "a bearer", form: /^Bearer \S+$/ };
}

/** What GitHub's documentation asks of every request; the description has no header parameters. */
function wrongHeaders(found, headers, hasBody) {
  const wrong = [];
  if (!headers["user-agent"]) wrong.push("there is no User-Agent");
  if (headers.accept !== "application/vnd.github+json") wrong.push("Accept is not application/vnd.github+json");
  if (headers["x-github-api-version"] !== "2022-11-28") wrong.push("X-GitHub-Api-Version is not the one the broker is written for");
  const { name, form } = scheme(found.route);
  if (!form.test(headers.authorization ?? "")) wrong.push(`Authorization is not ${name}`);
  if (hasBody && headers["content-type"] !== "application/json") wrong.push("Content-Type is not application/json");
  const installation = headers.authorization?.startsWith("Bearer ghs_");
  if (installation && !found.operation["x-github"].enabledForGitHubApps) {
    wrong.push("GitHub Apps may not call it with an installation token");
  }
  return wrong;
}

/**
 * Statuses that any operation can have: redirects of a renamed repository, and what the troubleshooting page has. The
 * description of most operations leaves them out.
 */
const GENERAL = new Set([301, 307, 401, 403, 404, 429, 500, 502, 503, 504]);

/** What is wrong with an answer. `body` is parsed JSON, or undefined. */
export function checkAnswer(found, status, body) {
  const documented = found.operation.responses[status];
  if (!documented && !GENERAL.has(status)) return [`the status ${status} is not documented`];
  const content = documented ? resolve(documented).content : undefined;
  const media = content?.["application/json"] ?? content?.["application/scim+json"];
  const fallback = status >= 300 ? { $ref: "#/components/schemas/basic-error" } : undefined;
  const schema = media?.schema ?? fallback;
  if (!schema) return body === undefined ? [] : ["a body is answered where none is documented"];
  if (body === undefined) return status >= 500 ? [] : ["the body is missing"];
  return wrongInAnswer(schema, body);
}
