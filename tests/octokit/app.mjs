// As the App: who am I, where am I installed, and a narrowed token of my own.
//
// The simulator's clock stands elsewhere than this machine's, so every JWT is refused at first: Octokit then corrects
// itself by the answer's `Date` header, which only works if claims, messages and headers are as GitHub's.

import assert from "node:assert/strict";

import { createAppAuth } from "@octokit/auth-app";
import { Octokit as Rest } from "@octokit/rest";
import { App, Octokit } from "octokit";

import { input } from "./input.mjs";

const { apiUrl, appId, clientId, privateKey, installationId, owner, repo } = input;
const silent = { debug() {}, info() {}, warn() {}, error: console.error };

const app = new App({
  appId: clientId,
  privateKey,
  log: silent,
  Octokit: Octokit.defaults({ baseUrl: apiUrl, log: silent }),
});
const { data: self } = await app.octokit.rest.apps.getAuthenticated();
assert.equal(self.id, appId);
assert.equal(self.client_id, clientId);

const installations = [];
await app.eachInstallation(({ installation }) => void installations.push(installation));
assert.deepEqual(installations.map((one) => [one.id, one.account.login]), [[installationId, owner]]);

const { data: found } = await app.octokit.rest.apps.getRepoInstallation({ owner, repo });
assert.equal(found.id, installationId);

const whole = await app.getInstallationOctokit(installationId);
const repositories = await whole.paginate(whole.rest.apps.listReposAccessibleToInstallation, { per_page: 1 });
assert.ok(repositories.length > 1, "the list must have more than one page");
assert.ok(repositories.some((one) => one.full_name === `${owner}/${repo}`));

const asApp = new Rest({ baseUrl: apiUrl, authStrategy: createAppAuth, auth: { appId, privateKey }, log: silent });
const { data: minted } = await asApp.rest.apps.createInstallationAccessToken({
  installation_id: installationId,
  repositories: [repo],
  permissions: { contents: "read" },
});
assert.deepEqual(minted.permissions, { contents: "read", metadata: "read" });
assert.equal(minted.repository_selection, "selected");

const narrowed = new Rest({ baseUrl: apiUrl, auth: minted.token, log: silent });
const { data: visible } = await narrowed.rest.apps.listReposAccessibleToInstallation();
assert.deepEqual(visible.repositories.map((one) => one.name), [repo]);

await narrowed.rest.apps.revokeInstallationAccessToken();
await assert.rejects(narrowed.rest.repos.get({ owner, repo }), { status: 401, message: /Bad credentials/ });
