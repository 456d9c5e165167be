// GitHub's published GraphQL schema as a validator of requests and of answers.

import { schema as source } from "@octokit/graphql-schema";
import { buildSchema, executeSync, GraphQLError, parse, Source, validate } from "graphql";
import { getVariableValues } from "graphql/execution/values.js";

const schema = buildSchema(source.idl, { assumeValid: true });

/** The forms of GitHub's own scalars; to graphql-js they would be anything. */
const FORMS = {
  GitObjectID: /^[0-9a-f]{40}$/,
  Base64String: /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
  URI: /^https?:\/\/\S+$/,
  DateTime: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
};
for (const [name, form] of Object.entries(FORMS)) {
  const scalar = schema.getType(name);
  const checked = (value) => {
    if (typeof value === "string" && form.test(value)) return value;
    throw new GraphQLError(`is not of the form of ${name}`);
  };
  scalar.parseValue = checked;
  scalar.serialize = checked;
}

/** Places and rules; a message of graphql-js about a variable would quote its value. */
const said = (error) => error.message.replace(/got invalid value .*? at "([^"]*)";/s, 'at "$1":');

/** What is wrong with a request, the name of what it asks for, and what its answer is checked with. */
export function checkQuery({ query, variables = {} }) {
  let document;
  try {
    document = parse(new Source(query));
  } catch (error) {
    return { wrong: [said(error)], route: "GRAPHQL ?" };
  }
  const [operation] = document.definitions;
  const route = `GRAPHQL ${operation.selectionSet.selections[0].name.value}`;
  const wrong = validate(schema, document).map(said);
  const { errors = [] } = getVariableValues(schema, operation.variableDefinitions, variables);
  return { wrong: [...wrong, ...errors.map(said)], route, document, variables };
}

/** What is wrong with an answer: executing the request over it tells whether every field is there and of its type. */
export function checkAnswer({ document, variables }, { data, errors }) {
  const wrong = (errors ?? []).filter((error) => typeof error.message !== "string" || !error.locations)
    .map(() => "an error has no message or no locations");
  if (!data && !errors) wrong.push("there is neither data nor errors");
  if (!data || errors) return wrong;
  const again = executeSync({ schema, document, variableValues: variables, rootValue: data });
  return [...wrong, ...(again.errors ?? []).map(said)];
}
