// Where the tools of the recipes are: `npm run test:recipes` fetches them.

import { join } from 'node:path';

/** The folder that the tools were installed into. */
const folder = process.env['TEST_RECIPE_TOOLS'] ?? '';

/** The `node_modules` of that folder. */
export const toolModules = join(folder, 'node_modules');

/** For a test's `skip`. */
export const withoutTools =
  folder === '' ? 'the tools are fetched by `npm run test:recipes`' : (false as const);

const platform = `linux-${process.arch}`;

/** Programs by their packages: those for this machine, so that nothing has to run at their installation. */
export const toolPrograms = {
  claude: join(toolModules, `@anthropic-ai/claude-code-${platform}/claude`),
  codex: join(toolModules, '@openai/codex/bin/codex.js'),
  gemini: join(toolModules, '@google/gemini-cli/bundle/gemini.js'),
  opencode: join(toolModules, `opencode-${platform}/bin/opencode`),
  devcontainer: join(toolModules, '@devcontainers/cli/devcontainer.js'),
} as const;
