// Puts the modules of the program together, behind the compiler (`npm run build`) and under Bun: `run` starts three processes, and each
// looked for some hundred files. The library and the threads keep their files; packages of others stay what npm installs.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

interface LoadOptions {
  readonly path: string;
}

interface BundlerPlugin {
  readonly name: string;
  readonly setup: (builder: {
    onLoad(
      options: { readonly filter: RegExp },
      load: (options: LoadOptions) => { readonly contents: string; readonly loader: 'js' },
    ): void;
  }) => void;
}

/** What is used of Bun's bundler, whose types are no dependency. */
declare const Bun: {
  build(options: Readonly<Record<string, unknown>>): Promise<{
    readonly success: boolean;
    readonly outputs: readonly unknown[];
    readonly logs: readonly unknown[];
  }>;
};

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const entry = join(dist, 'cli', 'main.js');
const pieces = 'program';

/** A module looks for what stands beside its own file, and not beside the piece that it is in. Every piece is one folder deep. */
const ownAddresses: BundlerPlugin = {
  name: 'own addresses',
  setup(builder) {
    builder.onLoad({ filter: /\.js$/ }, ({ path }) => {
      const contents = readFileSync(path, 'utf8');
      const place = relative(dist, path).split(sep).join('/');
      const address = `new URL(${JSON.stringify(`../${place}`)}, import.meta.url).href`;
      return { contents: contents.replaceAll(/\bimport\.meta\.url\b/g, address), loader: 'js' };
    });
  },
};

async function bundle(): Promise<void> {
  if (!existsSync(entry)) throw new Error(`${entry} is missing: npm run build`);
  rmSync(join(dist, pieces), { recursive: true, force: true });
  const { success, outputs, logs } = await Bun.build({
    entrypoints: [entry],
    outdir: dist,
    root: dist,
    target: 'node',
    format: 'esm',
    // What is loaded when it is used stays so.
    splitting: true,
    packages: 'external',
    naming: { entry: '[dir]/[name].[ext]', chunk: `${pieces}/[name]-[hash].[ext]` },
    plugins: [ownAddresses],
  });
  if (!success) throw new Error(`the program cannot be put together: ${logs.map(String).join('\n')}`);
  console.log(`${relative(process.cwd(), entry)}: the program in ${outputs.length} pieces`);
}

await bundle();
