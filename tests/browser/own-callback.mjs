// A portal that takes GitHub's redirect itself knows whose browser comes back.

import assert from "node:assert/strict";
import { Person, input, run } from "./person.mjs";

const { portal, github } = input;

await run({
  async "a link that somebody else began connects nobody"() {
    // Mallory begins for an account of her own, and keeps the address of GitHub's page.
    const mallory = await (await Person.at("mallory")).signedIn();
    let link;
    mallory.page.on("request", (request) => {
      if (request.url().includes("/installations/new?state=")) link ??= request.url();
    });
    await mallory.page.goto(portal);
    await mallory.click("install");
    assert.ok(link.startsWith(github), link);

    // Alice follows it, sees GitHub's own page, and installs.
    const alice = await (await Person.at("alice")).signedIn();
    await alice.page.goto(link);
    await alice.click("account-acme");
    await alice.click("install");
    await alice.picture("sent-by-somebody-else");
    assert.equal(await alice.page.textContent("h1"), "Refused");
    assert.match(await alice.page.textContent("#outcome"), /not begun in this browser/);
    await mallory.sees(portal, /^Not connected\.$/);
    await alice.leave();
    await mallory.leave();
  },

  async "what was not begun here needs no finishing"() {
    const alice = await Person.at("alice");
    await alice.page.goto(`${input.callback}?installation_id=4711&setup_action=update`);
    assert.equal(await alice.page.textContent("h1"), "Thank you");
    await alice.leave();
  },

  async "who began is connected"() {
    const mallory = await (await Person.at("mallory")).signedIn();
    await mallory.page.goto(portal);
    await mallory.click("install");
    await mallory.click("install");
    await mallory.picture("connected");
    assert.equal(await mallory.page.textContent("h1"), "Connected");
    assert.match(await mallory.page.textContent("#status"), /installed on mallory/);
    const used = mallory.callbacks.at(-1);
    await mallory.page.goto(used);
    await mallory.picture("replayed");
    assert.equal(await mallory.page.textContent("h1"), "Refused");
    await mallory.leave();
  },
});
