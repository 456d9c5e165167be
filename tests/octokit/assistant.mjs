// An assistant that works on issues, with a brokered token of issues: write, pull_requests: write, contents: read: it finds its work
// and reports on it, and can neither change a file nor reach anything else.

import assert from "node:assert/strict";

import { Octokit } from "@octokit/rest";

import { input } from "./input.mjs";

const { apiUrl, token, owner, repo, otherRepo, merged, open, reviewer } = input;
// What is refused here is refused on purpose.
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const octokit = new Octokit({ baseUrl: apiUrl, auth: token, log: silent });
const here = { owner, repo };
const base = "main";
const sha = (await octokit.rest.git.getRef({ ...here, ref: `heads/${base}` })).data.object.sha;

async function worksOnIssues() {
  const { data: issue } = await octokit.rest.issues.create({ ...here, title: "Orders are late", body: "By an hour." });
  await octokit.rest.issues.createComment({ ...here, issue_number: issue.number, body: "Looking." });
  await octokit.rest.issues.addLabels({ ...here, issue_number: issue.number, labels: ["triaged"] });
  const issues = await octokit.paginate(octokit.rest.issues.listForRepo, { ...here, labels: "triaged" });
  assert.deepEqual(issues.map((one) => [one.number, one.title]), [[issue.number, "Orders are late"]]);
  const { data: comments } = await octokit.rest.issues.listComments({ ...here, issue_number: issue.number });
  assert.deepEqual(comments.map((one) => one.body), ["Looking."]);
  const closed = { state: "closed", state_reason: "completed" };
  await octokit.rest.issues.update({ ...here, issue_number: issue.number, ...closed });
  assert.equal((await octokit.rest.issues.get({ ...here, issue_number: issue.number })).data.state, "closed");
}

async function listsMergedPullRequests() {
  const closed = await octokit.paginate(octokit.rest.pulls.list, { ...here, state: "closed", base });
  assert.deepEqual(closed.filter((pull) => pull.merged_at).map((pull) => pull.number), [merged]);
  const { status } = await octokit.rest.pulls.checkIfMerged({ ...here, pull_number: merged });
  assert.equal(status, 204);
  await assert.rejects(octokit.rest.pulls.checkIfMerged({ ...here, pull_number: open }), { status: 404 });
}

async function readsAReview() {
  const { data: pull } = await octokit.rest.pulls.get({ ...here, pull_number: open });
  assert.equal(pull.state, "open");
  const { data: reviews } = await octokit.rest.pulls.listReviews({ ...here, pull_number: open });
  assert.deepEqual(reviews.map((one) => [one.user.login, one.state]), [[reviewer, "APPROVED"]]);
  const { data: files } = await octokit.rest.pulls.listFiles({ ...here, pull_number: open });
  assert.ok(files.length > 0);
  await octokit.rest.pulls.update({ ...here, pull_number: open, body: "Reviewed." });
}

async function readsAndSearchesCode() {
  const { data: file } = await octokit.rest.repos.getContent({ ...here, path: "models/orders.sql" });
  assert.match(Buffer.from(file.content, "base64").toString(), /^select/);
  // The other repository has such a file, too.
  const { data: found } = await octokit.rest.search.code({ q: `select org:${owner} filename:orders.sql` });
  const places = found.items.map((one) => `${one.repository.full_name}/${one.path}`);
  assert.deepEqual(places, [`${owner}/${repo}/models/orders.sql`]);
}

/** GitHub's words for what an App's token was not given. */
const integration = { status: 403, message: /^Resource not accessible by integration/ };

async function changesNoCode() {
  const content = Buffer.from("mine").toString("base64");
  const refused = [
    () => octokit.rest.git.createRef({ ...here, ref: "refs/heads/mine", sha }),
    () => octokit.rest.git.updateRef({ ...here, ref: `heads/${base}`, sha, force: true }),
    () => octokit.rest.git.deleteRef({ ...here, ref: "heads/staging" }),
    () => octokit.rest.git.createBlob({ ...here, content: "mine" }),
    () => octokit.rest.git.createCommit({ ...here, message: "Mine", tree: sha, parents: [sha] }),
    () => octokit.rest.repos.createOrUpdateFileContents({ ...here, path: "mine", message: "Mine", content }),
    () => octokit.rest.pulls.merge({ ...here, pull_number: open }),
  ];
  for (const call of refused) await assert.rejects(call, integration, String(call));

  const mutation = `mutation ($input: CreateCommitOnBranchInput!) {
    createCommitOnBranch(input: $input) { commit { oid } }
  }`;
  const commit = {
    branch: { repositoryNameWithOwner: `${owner}/${repo}`, branchName: base },
    expectedHeadOid: sha,
    message: { headline: "Mine" },
    fileChanges: { additions: [{ path: "mine", contents: content }] },
  };
  const forbidden = (error) => error.errors[0].type === "FORBIDDEN";
  await assert.rejects(octokit.graphql(mutation, { input: commit }), forbidden);
}

async function reachesNothingElse() {
  const other = { owner, repo: otherRepo };
  const elsewhere = [
    () => octokit.rest.repos.get(other),
    () => octokit.rest.issues.listForRepo(other),
    () => octokit.rest.issues.create({ ...other, title: "Mine" }),
    () => octokit.rest.repos.getContent({ ...other, path: "models/orders.sql" }),
  ];
  for (const call of elsewhere) await assert.rejects(call, { status: 404, message: /^Not Found/ }, String(call));
  const administration = [
    () => octokit.rest.repos.update({ ...here, has_issues: false }),
    () => octokit.rest.repos.getBranchProtection({ ...here, branch: base }),
    () => octokit.rest.repos.createInOrg({ org: owner, name: "mine" }),
    () => octokit.rest.users.getAuthenticated(),
  ];
  for (const call of administration) await assert.rejects(call, integration, String(call));
  const { data: seen } = await octokit.rest.apps.listReposAccessibleToInstallation();
  assert.deepEqual(seen.repositories.map((one) => one.name), [repo]);
}

await worksOnIssues();
await listsMergedPullRequests();
await readsAReview();
await readsAndSearchesCode();
await changesNoCode();
await reachesNothingElse();
