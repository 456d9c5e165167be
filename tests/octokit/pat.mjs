// With a personal access token that the broker handed out: as wide as its owner made it, and GitHub says so.

import assert from "node:assert/strict";

import { Octokit } from "@octokit/rest";

import { input } from "./input.mjs";

const { apiUrl, token, login, scopes, expires, owner, repo } = input;
const octokit = new Octokit({ baseUrl: apiUrl, auth: token });

const { data: user, headers } = await octokit.rest.users.getAuthenticated();
assert.equal(user.login, login);
assert.equal(headers["x-oauth-scopes"], scopes);
assert.equal(headers["github-authentication-token-expiration"], expires);

const { data: repository } = await octokit.rest.repos.get({ owner, repo });
assert.equal(repository.permissions.push, true);
