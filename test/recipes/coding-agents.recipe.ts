// The guides to coding agents with the agents themselves, before a stand-in for their models.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import type { CommandResult } from '../support/command.ts';
import { assertThroughGateway, fetchedUrl, fetchRefused } from './support/recipe-checks.ts';
import { openRecipeStage, recipeSecret, type RecipeStage } from './support/recipe-stage.ts';
import { toolPrograms, withoutTools } from './support/recipe-tools.ts';
import { asOrdinaryUser, runInStage, type StageRun } from './support/run-in-stage.ts';

interface Recipe {
  readonly name: string;
  readonly host: string;
  readonly program: keyof typeof toolPrograms;
  /** The variable of the placeholder, and whose it is. */
  readonly variable: string;
  readonly credential: string;
  readonly command: readonly string[];
  /** The variable of its folder of settings and state, and that folder below HOME. */
  readonly place?: { readonly variable: string; readonly folder: string };
}

const recipes = {
  claude: {
    name: 'claude-code',
    host: 'api.anthropic.com',
    program: 'claude',
    variable: 'ANTHROPIC_API_KEY',
    credential: 'anthropic-key',
    command: ['claude', '-p', 'the task'],
    place: { variable: 'CLAUDE_CONFIG_DIR', folder: '.claude-jailed' },
  },
  codex: {
    name: 'codex',
    host: 'api.openai.com',
    program: 'codex',
    variable: 'OPENAI_API_KEY',
    credential: 'openai-key',
    command: ['codex', 'exec', '--skip-git-repo-check', 'the task'],
    place: { variable: 'CODEX_HOME', folder: '.codex-jailed' },
  },
  gemini: {
    name: 'gemini-cli',
    host: 'generativelanguage.googleapis.com',
    program: 'gemini',
    variable: 'GEMINI_API_KEY',
    credential: 'gemini-key',
    command: ['gemini', '--skip-trust', '--yolo', '-p', 'the task'],
    place: { variable: 'GEMINI_CLI_HOME', folder: '.gemini-jailed' },
  },
  opencode: {
    name: 'opencode',
    host: 'api.anthropic.com',
    program: 'opencode',
    variable: 'ANTHROPIC_API_KEY',
    credential: 'anthropic-key',
    command: ['opencode', 'run', 'the task'],
  },
} satisfies Readonly<Record<string, Recipe>>;

/** The layers that the guides name for an agent whose own sandbox is on. */
const namespacesAlone = '--jail-layers=files,ipc,processes,network,no-new-privs';

async function stageFor({ name, host, program }: Recipe, commands: readonly string[]): Promise<RecipeStage> {
  const programs = { [program]: toolPrograms[program] };
  return await openRecipeStage({ recipe: name, host, programs, commands });
}

/** Does what the guide says before it starts the agent. */
async function setUp(stage: RecipeStage): Promise<void> {
  await stage.run(({ steps, ...guide }) => {
    const start = steps.findIndex(
      (one) => one.kind === 'command' && one.command.includes('upstreamproxy run'),
    );
    return { ...guide, steps: steps.slice(0, start) };
  });
}

/** Starts the agent in its folder, with other options than the guide's. */
async function start(
  stage: RecipeStage,
  { command, place }: Recipe,
  more: Omit<StageRun, 'command'> = {},
): Promise<CommandResult> {
  const folder = place === undefined ? {} : { [place.variable]: join(stage.home, place.folder) };
  return await runInStage(stage, { command, ...more, environment: { ...folder, ...more.environment } });
}

async function changeSettings(
  stage: RecipeStage,
  file: string,
  change: (text: string) => string,
): Promise<void> {
  const path = join(stage.home, file);
  const before = await readFile(path, 'utf8');
  const after = change(before);
  assert.notEqual(after, before);
  await writeFile(path, after);
}

const sandboxed =
  (more: object) =>
  (text: string): string =>
    JSON.stringify({
      ...(JSON.parse(text) as object),
      sandbox: { enabled: true, failIfUnavailable: true, ...more },
    });

const workspaceWrite = (text: string): string =>
  `${text.replace('danger-full-access', 'workspace-write')}\n[sandbox_workspace_write]\nnetwork_access = true\n`;

describe('coding agents', { skip: withoutTools }, () => {
  for (const recipe of Object.values<Recipe>(recipes)) {
    const { name, variable, credential } = recipe;

    test(`${name}: its guide does what it shows, the model is reached with the key that only the gateway has, and files change in the project alone`, async () => {
      const key = `~/.config/upstreamproxy/${name}/${credential}`;
      await using stage = await stageFor(recipe, [
        `curl -sS ${fetchedUrl}`,
        `echo "value: $${variable}"`,
        `cat ${key} || echo "no key"`,
        'touch here && echo made',
        'touch ~/elsewhere || echo refused',
      ]);
      const ends = await stage.run();
      assertThroughGateway(stage.model);
      const [fetched = '', value = '', read = '', here = '', elsewhere = ''] = stage.model.outputs;
      assert.match(fetched, fetchRefused);
      assert.ok(value.includes(`value: upstreamproxy-placeholder-${credential}`), value);
      assert.match(read, /no key/);
      assert.match(here, /made/);
      assert.match(elsewhere, /refused/);
      const printed = [...ends.values()].map(({ output }) => output).join('\n');
      assert.ok(!`${read}${printed}`.includes(recipeSecret));
      assert.doesNotMatch(printed, /the command can read/);
    });
  }

  test('claude-code: its own sandbox does not start in the whole jail', async () => {
    await using stage = await stageFor(recipes.claude, ['echo ran']);
    await setUp(stage);
    await changeSettings(stage, '.claude-jailed/settings.json', sandboxed({}));
    await start(stage, recipes.claude);
    assert.match(stage.model.outputs[0] ?? '', /bwrap: .*namespace/);
  });

  test('claude-code: with the layers that its guide names its own sandbox works, and leads to the gateway', async (t) => {
    const commands = [`curl -sS ${fetchedUrl}`, 'touch ~/elsewhere || echo refused'];
    await using stage = await stageFor(recipes.claude, commands);
    await setUp(stage);
    const network = { allowedDomains: ['example.com'] };
    await changeSettings(
      stage,
      '.claude-jailed/settings.json',
      sandboxed({ enableWeakerNestedSandbox: true, network }),
    );
    const user = await asOrdinaryUser(stage);
    if (user === undefined) return t.skip('it needs root, to become an ordinary user');
    await start(stage, recipes.claude, { user, options: [namespacesAlone] });
    assert.match(stage.model.outputs[0] ?? '', fetchRefused);
    assert.match(stage.model.outputs[1] ?? '', /refused/);
  });

  test('codex: its own sandbox does not start in the whole jail', async () => {
    await using stage = await stageFor(recipes.codex, ['echo ran']);
    await setUp(stage);
    await changeSettings(stage, '.codex-jailed/config.toml', workspaceWrite);
    await start(stage, recipes.codex);
    assert.match(stage.model.outputs[0] ?? '', /bwrap: .*namespace/);
  });

  test('codex: with the layers that its guide names its own sandbox works, and leads to the gateway', async (t) => {
    const commands = [`curl -sS ${fetchedUrl}`, 'touch /var/tmp/of-a-test || echo refused'];
    await using stage = await stageFor(recipes.codex, commands);
    await setUp(stage);
    await changeSettings(stage, '.codex-jailed/config.toml', workspaceWrite);
    const user = await asOrdinaryUser(stage);
    if (user === undefined) return t.skip('it needs root, to become an ordinary user');
    await start(stage, recipes.codex, { user, options: [namespacesAlone] });
    assert.match(stage.model.outputs[0] ?? '', fetchRefused);
    assert.match(stage.model.outputs[1] ?? '', /refused/);
  });

  test('gemini-cli: with its own sandbox on it ends, and says that it has no container', async () => {
    await using stage = await stageFor(recipes.gemini, ['echo ran']);
    await setUp(stage);
    const environment = { GEMINI_SANDBOX: 'podman' };
    const { code, stderr } = await start(stage, recipes.gemini, { environment });
    assert.notEqual(code, 0);
    assert.match(stderr, /FatalSandboxError/);
    assert.deepEqual(stage.model.credentials, []);
  });
});
