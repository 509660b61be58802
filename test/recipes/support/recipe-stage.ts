// What a recipe for a coding agent speaks of, on this machine: the tool itself, and a stand-in for the model behind the provider's name.

import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import type { FinishedCommand } from '../../support/guide-terminal.ts';
import { runGuide } from '../../support/guide-run.ts';
import { parseGuide, type Guide } from '../../support/guide.ts';
import { leadingProxy } from '../../support/leading-proxy.ts';
import { launcher } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { modelServer, type ModelServer } from './model-server.ts';

/** The secret that the recipes put into a file; the model lets in who has it. */
export const recipeSecret = 'example-secret-1';

export interface RecipeStageOptions {
  /** Name of the recipe: of its document, and of its folder in deploy/recipes. */
  readonly recipe: string;
  /** The name under which the provider's API is reached. */
  readonly host: string;
  /** The program of the recipe, by the name that it is called by. */
  readonly programs: Readonly<Record<string, string>>;
  /** What the model wants to be run. */
  readonly commands: readonly string[];
}

export interface RecipeStage extends AsyncDisposable {
  readonly model: ModelServer;
  /** HOME of who reads the recipe. */
  readonly home: string;
  /** The folder of the recipe's files, which is hidden from commands of `run`. */
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Does what the recipe's document says. Throws at the first thing that is not as shown. */
  run(change?: (guide: Guide) => Guide): Promise<ReadonlyMap<string, FinishedCommand>>;
}

export async function openRecipeStage(options: RecipeStageOptions): Promise<RecipeStage> {
  await using stack = new AsyncDisposableStack();
  const root = stack.use(await temporaryDirectory()).path;
  const authority = createTestAuthority();
  const { recipe, host, commands, programs } = options;
  const model = stack.use(await modelServer({ authority, secret: recipeSecret, commands }));
  const proxy = stack.use(await leadingProxy({ [host]: model.port }));
  const [home, bin] = [join(root, 'home'), join(root, 'bin')];
  const folder = join(home, '.config/upstreamproxy', recipe);
  await mkdir(folder, { recursive: true });
  await mkdir(join(home, 'project'));
  await mkdir(bin);
  for (const [name, program] of Object.entries({ ...programs, upstreamproxy: launcher }))
    await symlink(program, join(bin, name));
  await writeFile(join(folder, 'origins.pem'), authority.caPem);
  const upstream = { ca: 'origins.pem', systemTrust: false, proxy: { url: proxy.url } };
  const environment = { HOME: home, PATH: `${bin}${delimiter}${process.env['PATH']}` };
  const owned = stack.move();
  return {
    model,
    home,
    folder,
    environment,
    run: async (change = (guide) => guide) => {
      const text = await readFile(new URL(`../../../docs/guides/${recipe}.md`, import.meta.url), 'utf8');
      return await runGuide(withoutInput(change(parseGuide(text))), {
        directory: folder,
        environment,
        replacements: {},
        additions: { 'gateway.yaml': `upstream: ${JSON.stringify(upstream)}\n` },
      });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The tools read their task from a pipe too, and would wait for its end: a person types at a terminal. */
function withoutInput({ steps, ...guide }: Guide): Guide {
  const typed = steps.map((step) =>
    step.kind === 'command' && step.command.startsWith('upstreamproxy run ')
      ? { ...step, command: `${step.command} < /dev/null` }
      : step,
  );
  return { ...guide, steps: typed };
}
