// With a brokered token: read, page through, commit over git data and GraphQL, open a pull request.

import assert from "node:assert/strict";

import { Octokit } from "@octokit/rest";

import { input } from "./input.mjs";

const { apiUrl, token, owner, repo } = input;
const octokit = new Octokit({ baseUrl: apiUrl, auth: token });
const here = { owner, repo };

const { data: repository } = await octokit.rest.repos.get(here);
assert.equal(repository.full_name, `${owner}/${repo}`);
const base = repository.default_branch;
const { data: baseRef } = await octokit.rest.git.getRef({ ...here, ref: `heads/${base}` });
const baseSha = baseRef.object.sha;

/** All items of a list in pages of two, and how many pages there were. */
async function pages(route, parameters) {
  const items = [];
  let count = 0;
  for await (const { data } of octokit.paginate.iterator(route, { ...here, ...parameters, per_page: 2 })) {
    items.push(...data);
    count += 1;
  }
  return { items, count };
}

async function pagesThroughIssues() {
  const titles = ["one", "two", "three", "four", "five"];
  for (const title of titles) await octokit.rest.issues.create({ ...here, title });
  const { items, count } = await pages(octokit.rest.issues.listForRepo, {});
  assert.deepEqual(items.map((issue) => issue.title), titles.toReversed(), "newest first");
  assert.equal(count, 3);
}

async function pagesThroughBranches() {
  const names = ["page-a", "page-b", "page-c", "page-d"];
  for (const name of names) {
    await octokit.rest.git.createRef({ ...here, ref: `refs/heads/${name}`, sha: baseSha });
  }
  const { items, count } = await pages(octokit.rest.repos.listBranches, {});
  assert.deepEqual(items.map((branch) => branch.name).sort(), [base, ...names].sort());
  assert.equal(count, 3);
}

/** One commit over git data: an executable file, a binary one, and a deletion. */
async function commitsOverGitData(branch) {
  const { data: parent } = await octokit.rest.git.getCommit({ ...here, commit_sha: baseSha });
  const binary = Buffer.from([0, 255, 10, 13]).toString("base64");
  const { data: blob } = await octokit.rest.git.createBlob({ ...here, content: binary, encoding: "base64" });
  const { data: tree } = await octokit.rest.git.createTree({
    ...here,
    base_tree: parent.tree.sha,
    tree: [
      { path: "bin/run.sh", mode: "100755", type: "blob", content: "#!/bin/sh\n" },
      { path: "data.bin", mode: "100644", type: "blob", sha: blob.sha },
      { path: "models/orders.sql", mode: "100644", type: "blob", sha: null },
    ],
  });
  const { data: commit } = await octokit.rest.git.createCommit({
    ...here, message: "Commit by Octokit", tree: tree.sha, parents: [baseSha],
  });
  await octokit.rest.git.createRef({ ...here, ref: `refs/heads/${branch}`, sha: commit.sha });

  const { data: whole } = await octokit.rest.git.getTree({ ...here, tree_sha: commit.sha, recursive: "1" });
  const modes = Object.fromEntries(whole.tree.map((entry) => [entry.path, entry.mode]));
  assert.equal(modes["bin/run.sh"], "100755");
  assert.ok(!("models/orders.sql" in modes));
  const { data: file } = await octokit.rest.repos.getContent({ ...here, path: "data.bin", ref: branch });
  assert.equal(file.content.trim(), binary);
  return commit.sha;
}

async function opensAPullRequest(branch) {
  const { data: pull } = await octokit.rest.pulls.create({ ...here, head: branch, base, title: "By Octokit" });
  const { data: open } = await octokit.rest.pulls.list({ ...here, state: "open", head: `${owner}:${branch}`, base });
  assert.deepEqual(open.map((one) => one.number), [pull.number]);
  const { data: same } = await octokit.rest.pulls.get({ ...here, pull_number: pull.number });
  assert.equal(same.head.ref, branch);

  const basehead = `${base}...${branch}`;
  const { data: compared } = await octokit.rest.repos.compareCommitsWithBasehead({ ...here, basehead });
  assert.deepEqual([compared.status, compared.ahead_by, compared.behind_by], ["ahead", 1, 0]);
  assert.equal(compared.files.length, 3);

  const again = octokit.rest.pulls.create({ ...here, head: branch, base, title: "Again" });
  await assert.rejects(again, { status: 422, message: /A pull request already exists/ });
}

const COMMIT = `mutation ($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) { commit { oid url } }
}`;

async function commitsOverGraphql(branch, expectedHeadOid) {
  const query = `query ($owner: String!, $repo: String!) {
    repository(owner: $owner, name: $repo) { nameWithOwner defaultBranchRef { name target { oid } } }
  }`;
  const { repository: seen } = await octokit.graphql(query, here);
  assert.equal(seen.nameWithOwner, `${owner}/${repo}`);
  assert.deepEqual(seen.defaultBranchRef, { name: base, target: { oid: baseSha } });

  const contents = Buffer.from("ü\n").toString("base64");
  const commit = {
    branch: { repositoryNameWithOwner: `${owner}/${repo}`, branchName: branch },
    expectedHeadOid,
    message: { headline: "Commit by GraphQL" },
    fileChanges: { additions: [{ path: "ü.txt", contents }] },
  };
  const { createCommitOnBranch: made } = await octokit.graphql(COMMIT, { input: commit });
  const { data: moved } = await octokit.rest.git.getRef({ ...here, ref: `heads/${branch}` });
  assert.equal(moved.object.sha, made.commit.oid);

  const stale = octokit.graphql(COMMIT, { input: commit });
  await assert.rejects(stale, (error) => error.errors[0].type === "STALE_DATA");
}

await pagesThroughIssues();
await pagesThroughBranches();
const sha = await commitsOverGitData("octokit/work");
await opensAPullRequest("octokit/work");
await commitsOverGraphql("octokit/work", sha);
