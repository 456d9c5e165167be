// A brokered token that was narrowed to reading one repository is refused everything else, in GitHub's words.

import assert from "node:assert/strict";

import { Octokit } from "@octokit/rest";

import { input } from "./input.mjs";

const { apiUrl, token, owner, repo, otherRepo } = input;
// What is refused here is refused on purpose.
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const octokit = new Octokit({ baseUrl: apiUrl, auth: token, log: silent });
const here = { owner, repo };

const { data: head } = await octokit.rest.git.getRef({ ...here, ref: "heads/main" });
const { sha } = head.object;

const integration = { status: 403, message: /^Resource not accessible by integration/ };
const refused = [
  () => octokit.rest.git.createRef({ ...here, ref: "refs/heads/mine", sha }),
  () => octokit.rest.git.createBlob({ ...here, content: "mine" }),
  () => octokit.rest.pulls.create({ ...here, head: "mine", base: "main", title: "Mine" }),
  () => octokit.rest.issues.listForRepo(here),
];
for (const call of refused) await assert.rejects(call, integration);

const accepted = await octokit.rest.git.createBlob({ ...here, content: "mine" }).catch((error) => error);
assert.equal(accepted.response.headers["x-accepted-github-permissions"], "contents=write");

await assert.rejects(octokit.rest.repos.get({ owner, repo: otherRepo }), { status: 404, message: /^Not Found/ });
await assert.rejects(octokit.rest.users.getAuthenticated(), integration);

const commit = octokit.graphql(
  "mutation ($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid } } }",
  {
    input: {
      branch: { repositoryNameWithOwner: `${owner}/${repo}`, branchName: "main" },
      expectedHeadOid: sha,
      message: { headline: "Mine" },
      fileChanges: { additions: [{ path: "mine", contents: "" }] },
    },
  },
);
await assert.rejects(commit, (error) => error.errors[0].type === "FORBIDDEN");
