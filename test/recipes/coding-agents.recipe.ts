// The guides to coding agents with the agents themselves, before a stand-in for their models.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { assertThroughGateway, fetchedUrl, fetchRefused } from './support/recipe-checks.ts';
import { openRecipeStage, recipeSecret, type RecipeStage } from './support/recipe-stage.ts';
import { toolPrograms, withoutTools } from './support/recipe-tools.ts';
import { asOrdinaryUser, runInStage } from './support/run-in-stage.ts';

interface Recipe {
  readonly name: string;
  readonly host: string;
  readonly program: keyof typeof toolPrograms;
  /** The variable of the placeholder, and whose it is. */
  readonly variable: string;
  readonly credential: string;
  readonly command: readonly string[];
  /** Below HOME; where the agent has to write. */
  readonly writes: readonly string[];
}

const recipes = {
  claude: {
    name: 'claude-code',
    host: 'api.anthropic.com',
    program: 'claude',
    variable: 'ANTHROPIC_API_KEY',
    credential: 'anthropic-key',
    command: ['claude', '-p', 'the task'],
    writes: ['.claude'],
  },
  codex: {
    name: 'codex',
    host: 'api.openai.com',
    program: 'codex',
    variable: 'OPENAI_API_KEY',
    credential: 'openai-key',
    command: ['codex', 'exec', '--skip-git-repo-check', 'the task'],
    writes: ['.codex'],
  },
  gemini: {
    name: 'gemini-cli',
    host: 'generativelanguage.googleapis.com',
    program: 'gemini',
    variable: 'GEMINI_API_KEY',
    credential: 'gemini-key',
    command: ['gemini', '--skip-trust', '--yolo', '-p', 'the task'],
    writes: ['.gemini'],
  },
  opencode: {
    name: 'opencode',
    host: 'api.anthropic.com',
    program: 'opencode',
    variable: 'ANTHROPIC_API_KEY',
    credential: 'anthropic-key',
    command: ['opencode', 'run', 'the task'],
    writes: ['.local', '.config/opencode', '.cache'],
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
    const { name, variable, credential, command, writes } = recipe;

    test(`${name}: its guide does what it shows, and the model is reached with the key that only the gateway has`, async () => {
      const key = `~/.config/upstreamproxy/${name}/${credential}`;
      await using stage = await stageFor(recipe, [
        `curl -sS ${fetchedUrl}`,
        `echo "value: $${variable}"`,
        `cat ${key} || echo "no key"`,
      ]);
      const ends = await stage.run();
      assertThroughGateway(stage.model);
      const [fetched = '', value = '', read = ''] = stage.model.outputs;
      assert.match(fetched, fetchRefused);
      assert.ok(value.includes(`value: upstreamproxy-placeholder-${credential}`), value);
      assert.match(read, /no key/);
      const printed = [...ends.values()].map(({ output }) => output).join('\n');
      assert.ok(!`${read}${printed}`.includes(recipeSecret));
      assert.doesNotMatch(printed, /the command can read/);
    });

    test(`${name}: with --fs-write, files change where its guide says and nowhere else`, async () => {
      const commands = ['touch here && echo made', 'touch ~/elsewhere || echo refused'];
      await using stage = await stageFor(recipe, commands);
      await setUp(stage);
      // The stage is below /tmp, so a folder of its own stands for that.
      const temporary = join(stage.home, 'tmp');
      const folders = [temporary, ...['project', ...writes].map((path) => join(stage.home, path))];
      await runInStage(stage, {
        command,
        options: folders.map((path) => `--fs-write=${path}`),
        folders,
        environment: { TMPDIR: temporary, CLAUDE_CONFIG_DIR: join(stage.home, '.claude') },
      });
      const [here = '', elsewhere = ''] = stage.model.outputs;
      assert.match(here, /made/);
      assert.match(elsewhere, /refused/);
    });
  }

  test('claude-code: its own sandbox does not start in the whole jail', async () => {
    await using stage = await stageFor(recipes.claude, ['echo ran']);
    await setUp(stage);
    await changeSettings(stage, '.claude/settings.json', sandboxed({}));
    await runInStage(stage, { command: recipes.claude.command });
    assert.match(stage.model.outputs[0] ?? '', /bwrap: .*namespace/);
  });

  test('claude-code: with the layers that its guide names its own sandbox works, and leads to the gateway', async (t) => {
    const commands = [`curl -sS ${fetchedUrl}`, 'touch ~/elsewhere || echo refused'];
    await using stage = await stageFor(recipes.claude, commands);
    await setUp(stage);
    const network = { allowedDomains: ['example.com'] };
    await changeSettings(
      stage,
      '.claude/settings.json',
      sandboxed({ enableWeakerNestedSandbox: true, network }),
    );
    const user = await asOrdinaryUser(stage);
    if (user === undefined) return t.skip('it needs root, to become an ordinary user');
    await runInStage(stage, { command: recipes.claude.command, user, options: [namespacesAlone] });
    assert.match(stage.model.outputs[0] ?? '', fetchRefused);
    assert.match(stage.model.outputs[1] ?? '', /refused/);
  });

  test('codex: its own sandbox does not start in the whole jail', async () => {
    await using stage = await stageFor(recipes.codex, ['echo ran']);
    await setUp(stage);
    await changeSettings(stage, '.codex/config.toml', workspaceWrite);
    await runInStage(stage, { command: recipes.codex.command });
    assert.match(stage.model.outputs[0] ?? '', /bwrap: .*namespace/);
  });

  test('codex: with the layers that its guide names its own sandbox works, and leads to the gateway', async (t) => {
    const commands = [`curl -sS ${fetchedUrl}`, 'touch /var/tmp/of-a-test || echo refused'];
    await using stage = await stageFor(recipes.codex, commands);
    await setUp(stage);
    await changeSettings(stage, '.codex/config.toml', workspaceWrite);
    const user = await asOrdinaryUser(stage);
    if (user === undefined) return t.skip('it needs root, to become an ordinary user');
    await runInStage(stage, { command: recipes.codex.command, user, options: [namespacesAlone] });
    assert.match(stage.model.outputs[0] ?? '', fetchRefused);
    assert.match(stage.model.outputs[1] ?? '', /refused/);
  });

  test('gemini-cli: with its own sandbox on it ends, and says that it has no container', async () => {
    await using stage = await stageFor(recipes.gemini, ['echo ran']);
    await setUp(stage);
    const environment = { GEMINI_SANDBOX: 'podman' };
    const { code, stderr } = await runInStage(stage, { command: recipes.gemini.command, environment });
    assert.notEqual(code, 0);
    assert.match(stderr, /FatalSandboxError/);
    assert.deepEqual(stage.model.credentials, []);
  });
});
