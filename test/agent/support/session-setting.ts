// A fake gateway, a token file and a state folder: all that a session of the agent needs.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SessionOptions } from '../../../src/agent/session.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { MemoryLogger, quickLimits } from './enrolled.ts';
import { FakeGateway, type FakeGatewayOptions } from './fake-gateway.ts';

export const tokenText = 'header.payload.signature';

export interface SessionSetting extends AsyncDisposable {
  readonly fake: FakeGateway;
  readonly logger: MemoryLogger;
  readonly folder: string;
  readonly tokenFile: string;
  readonly stateDirectory: string;
  readonly systemPem: string;
  options(changes?: Partial<SessionOptions>): SessionOptions;
  /** What is on the disk: the token, or undefined if it is gone; and the names of the trust files. */
  disk(): { readonly token: string | undefined; readonly files: readonly string[] };
}

export async function sessionSetting(gatewayOptions: FakeGatewayOptions = {}): Promise<SessionSetting> {
  const directory = await temporaryDirectory();
  const fake = await FakeGateway.start(gatewayOptions);
  const logger = new MemoryLogger();
  const tokenFile = join(directory.path, 'token');
  const stateDirectory = join(directory.path, 'state');
  const systemCaPath = join(directory.path, 'system.pem');
  const systemPem = createTestAuthority().caPem;
  writeFileSync(tokenFile, `${tokenText}\n`, { mode: 0o600 });
  writeFileSync(systemCaPath, systemPem);
  writeFileSync(join(directory.path, 'gateway.pem'), fake.authority.caPem);
  await mkdir(stateDirectory);
  return {
    fake,
    logger,
    folder: directory.path,
    tokenFile,
    stateDirectory,
    systemPem,
    options: (changes = {}) => ({
      gatewayUrl: fake.url,
      token: { file: tokenFile },
      gatewayCa: fake.authority.caPem,
      dangerouslyAllowPlainGateway: false,
      stateDirectory,
      relayPort: 0,
      systemCaPath,
      dangerouslyAllowUnhardened: false,
      environment: {},
      scrubEnvironment: false,
      baseEnvironment: {},
      limits: quickLimits,
      logger,
      ...changes,
    }),
    disk: () => ({
      token: existsSync(tokenFile) ? readFileSync(tokenFile, 'latin1') : undefined,
      files: readdirSync(stateDirectory).toSorted(),
    }),
    async [Symbol.asyncDispose]() {
      await fake[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}
