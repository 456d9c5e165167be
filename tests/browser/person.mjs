// People at browsers. Where everything is comes as JSON on standard input; each step can leave a picture.

import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

export const input = JSON.parse(await text(process.stdin));
const { github, callback, pictures } = input;
// Nothing here takes long; where a page does not come, it is said soon.
const PATIENCE = 15_000;

rmSync(pictures, { recursive: true, force: true });
mkdirSync(pictures, { recursive: true });

// With a folder of its own for the person's data, which is removed at the end.
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
  ],
});

let step = 0;

/** Somebody at a browser of their own, in which nobody was before. */
export class Person {
  static async at(login) {
    const context = await browser.newContext({ viewport: { width: 900, height: 640 } });
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    const person = Object.assign(new Person(), { login, context, page, callbacks: [] });
    page.on("request", (request) => {
      if (request.url().startsWith(callback)) person.callbacks.push(request.url());
    });
    return person;
  }

  async picture(name) {
    step += 1;
    const number = String(step).padStart(2, "0");
    await this.page.screenshot({ path: `${pictures}/${number}-${name}.png` });
  }

  /** What leads to another page. */
  async click(id) {
    const loaded = this.page.waitForEvent("load");
    await this.page.click(`#${id}`);
    await loaded;
  }

  /** What changes this page only. */
  async choose(id) {
    await this.page.click(`#${id}`);
  }

  /** On GitHub's page, where nobody is signed in yet. */
  async signIn() {
    await this.page.fill("#login", this.login);
    await this.picture(`${this.login}-signs-in`);
    await this.click("sign-in");
  }

  /** Signed in at GitHub beforehand. */
  async signedIn() {
    await this.page.goto(`${github}/login`);
    await this.page.fill("#login", this.login);
    await this.click("sign-in");
    return this;
  }

  /** The page on which the broker let the browser land, and what it says. */
  async lands(home, name, title, status) {
        await this.picture(name);
    assert.ok(this.page.url().startsWith(`${home}github/done?`), this.page.url());
    assert.equal(await this.page.textContent("h1"), title);
    assert.match(await this.page.textContent("#status"), status);
    const landed = new URL(this.page.url());
    assert.ok(!landed.searchParams.has("code") && !landed.searchParams.has("state"), landed.href);
    assert.equal(await this.page.evaluate(() => document.referrer), "", "the page learns no address");
    return Object.fromEntries(landed.searchParams);
  }

  /** What the portal's first page says, sooner or later. */
  async sees(home, status) {
    const until = Date.now() + PATIENCE;
    for (;;) {
      await this.page.goto(home);
      const said = await this.page.textContent("#status");
      if (status.test(said)) return;
      assert.ok(Date.now() < until, `${status} expected, it says: ${said}`);
    }
  }

  async leave() {
    await this.context.close();
  }
}

/** Each case after the other, by name; the first that fails ends it. */
export async function run(cases) {
  try {
    for (const [name, go] of Object.entries(cases)) {
      try {
        await go();
      } catch (error) {
        throw new Error(`${name}: ${error.stack}`);
      }
    }
  } finally {
    await browser.close();
  }
}
