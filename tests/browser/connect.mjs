// Ways through the portal, GitHub's pages and the broker's callback, each as the person at the browser goes it.

import assert from "node:assert/strict";
import { Person, input, run } from "./person.mjs";

const { portal, membersPortal, thiefsPortal, github, callback } = input;

/** The id of acme's installation: GitHub's ids are no secret. */
let acmesInstallation;

await run({
  async "the user does not want to install"() {
    const alice = await Person.at("alice");
    await alice.page.goto(portal);
    await alice.picture("portal");
    await alice.click("install");
    await alice.signIn();
    await alice.picture("accounts");
    await alice.click("account-acme");
    await alice.picture("install-page");
    await alice.click("cancel");
    await alice.picture("install-cancelled");
    assert.match(await alice.page.textContent("h1"), /Nothing was installed/);
    assert.deepEqual(alice.callbacks, [], "GitHub sends nobody back who cancels");
    await alice.click("homepage");
    assert.equal(alice.page.url(), portal);
    await alice.sees(portal, /^Not connected\.$/);
    await alice.leave();
  },

  async "an address that only says so connects nobody"() {
    const alice = await Person.at("alice");
    await alice.page.goto(`${portal}github/done?outcome=connected&kind=installation`);
    assert.match(await alice.page.textContent("#status"), /^Not connected\.$/);
    await alice.leave();
  },

  async "the App is installed"() {
    const alice = await (await Person.at("alice")).signedIn();
    await alice.page.goto(portal);
    await alice.click("install");
    await alice.click("account-acme");
    await alice.choose("selected-repositories");
    await alice.choose("repository-warehouse");
    await alice.picture("repositories-chosen");
    await alice.click("install");
    const brought = await alice.lands(portal, "connected", "Connected", /installed on acme/);
    assert.deepEqual(brought, { outcome: "connected", kind: "installation" });
    await alice.click("home");
    await alice.picture("portal-connected");

    // The way back is good once.
    const [used] = alice.callbacks;
    assert.match(used, /code=.*installation_id=\d+&setup_action=install&state=/);
    acmesInstallation = new URL(used).searchParams.get("installation_id");
    await alice.page.goto(used);
    const again = await alice.lands(portal, "replayed", "Refused", /installed on acme/);
    assert.deepEqual(again, { outcome: "refused", reason: "STATE_UNKNOWN" });
    await alice.leave();
  },

  async "a forged state is refused"() {
    const alice = await Person.at("alice");
    const forged = `${callback}?installation_id=4711&setup_action=install&state=${"0".repeat(32)}`;
    await alice.page.goto(forged);
    const brought = await alice.lands(portal, "forged", "Refused", /installed on acme/);
    assert.deepEqual(brought, { outcome: "refused", reason: "STATE_UNKNOWN" });
    await alice.leave();
  },

  async "repositories are added on GitHub's page"() {
    const alice = await (await Person.at("alice")).signedIn();
    await alice.page.goto(portal);
    await alice.click("install");
    await alice.picture("accounts-installed");
    await alice.click("account-acme");
    await alice.picture("configure-page");
    await alice.choose("repository-ledger");
    await alice.click("save");
    const brought = await alice.lands(portal, "updated", "Thank you", /installed on acme/);
    assert.equal(brought.outcome, "updated");
    await alice.leave();
  },

  async "the user does not want to authorize"() {
    const mallory = await (await Person.at("mallory")).signedIn();
    await mallory.page.goto(thiefsPortal);
    await mallory.click("connect");
    await mallory.picture("authorize-page");
    await mallory.click("cancel");
    const brought = await mallory.lands(thiefsPortal, "cancelled", "Cancelled", /^Not connected\.$/);
    assert.deepEqual(brought, { outcome: "cancelled", kind: "oauth" });
    await mallory.leave();
  },

  async "the user connects GitHub"() {
    const mallory = await (await Person.at("mallory")).signedIn();
    await mallory.page.goto(thiefsPortal);
    await mallory.click("connect");
    await mallory.click("authorize");
    const brought = await mallory.lands(thiefsPortal, "authorized", "Connected", /as mallory/);
    assert.deepEqual(brought, { outcome: "connected", kind: "oauth" });
    await mallory.leave();
  },

  async "another customer's installation is refused"() {
    const mallory = await (await Person.at("mallory")).signedIn();
    await mallory.page.goto(thiefsPortal);
    await mallory.click("install");
    await mallory.picture("install-page-of-a-user");
    // Mallory has no other account, installs it there, and writes acme's installation into the address.
    const form = await mallory.page.$eval("#install-form", (form) => ({
      action: form.action,
      fields: Object.fromEntries(new FormData(form)),
    }));
    const answer = await mallory.context.request.post(form.action, {
      form: { ...form.fields, do: "install" },
      maxRedirects: 0,
    });
    const back = new URL(answer.headers().location);
    assert.equal(back.origin + back.pathname, callback);
    back.searchParams.set("installation_id", acmesInstallation);
    await mallory.page.goto(back.href);
    const brought = await mallory.lands(thiefsPortal, "not-owned", "Refused", /as mallory/);
    assert.deepEqual(brought, {
      outcome: "refused", kind: "installation", reason: "INSTALLATION_NOT_OWNED",
    });
    await mallory.leave();
  },

  async "an owner of the organization has to approve"() {
    const alice = await (await Person.at("alice")).signedIn();
    await alice.page.goto(membersPortal);
    await alice.click("install");
    await alice.click("account-globex");
    await alice.picture("request-page");
    await alice.click("request");
    const brought = await alice.lands(membersPortal, "pending", "Almost there", /^Waiting/);
    assert.deepEqual(brought, { outcome: "pending", kind: "installation" });

    const bob = await (await Person.at("bob")).signedIn();
    await bob.page.goto(`${github}/organizations/globex/settings/installation_requests`);
    await bob.picture("requests");
    const [request] = await bob.page.$$eval("button.go", (buttons) => buttons.map((b) => b.id));
    await bob.click(request);
    // The broker did not send bob there, and so has no page for bob but the first.
    const told = await bob.lands(portal, "approved", "Thank you", /./);
    assert.equal(told.outcome, "updated");
    await alice.sees(membersPortal, /installed on globex/);
    await alice.picture("portal-after-approval");
    await alice.leave();
    await bob.leave();
  },
});
