// Certificates that rules pin by name: what verifies the origins of such a rule beside the gateway's own roots.

import { readFile, stat } from 'node:fs/promises';
import { checkCertificates } from '../../pki/pem.ts';
import type { AllowDecision } from '../../policy/decision.ts';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { UpstreamTls } from './forwarder.ts';

/** The configuration's `trust`: PEM files by name, read at start and on `reload`. */
export class RuleTrust {
  readonly #files: Readonly<Record<string, string>>;
  #certificates: ReadonlyMap<string, readonly string[]>;

  /** @param certificates of the files, PEM, as they were read */
  constructor(
    files: Readonly<Record<string, string>> = {},
    certificates: ReadonlyMap<string, readonly string[]> = new Map(),
  ) {
    this.#files = files;
    this.#certificates = certificates;
  }

  /** Reads every file. @throws ProxyError config_invalid that names the key */
  static async open(files: Readonly<Record<string, string>>): Promise<RuleTrust> {
    return new RuleTrust(files, await readAll(files));
  }

  /** Reads the files again, all or none: what was read last stays. @throws ProxyError config_invalid that names the key */
  async reload(): Promise<void> {
    this.#certificates = await readAll(this.#files);
  }

  /** The TLS of a request: the client certificate that was injected, and the certificates that its rule pins. */
  tlsOf({ trust, rule }: AllowDecision, injected: UpstreamTls | undefined): UpstreamTls | undefined {
    if (trust === undefined || trust.length === 0) return injected;
    const ca = trust.flatMap((name) => {
      const certificates = this.#certificates.get(name);
      // The policy was checked against these names; without them nothing may be verified by less than the rule says.
      if (certificates === undefined)
        throw new ProxyError(
          'config_invalid',
          `rule ${rule.name} pins the trust ${name}, which there is not`,
        );
      return certificates;
    });
    return { ...injected, ca };
  }
}

async function readAll(
  files: Readonly<Record<string, string>>,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const all = new Map<string, readonly string[]>();
  for (const [name, path] of Object.entries(files)) {
    try {
      const { size } = await stat(path);
      if (size > defaultLimits.trustFileBytesMax)
        throw new Error(`it is longer than ${defaultLimits.trustFileBytesMax} bytes`);
      all.set(name, checkCertificates(await readFile(path, 'utf8')));
    } catch (cause) {
      const reason = asProxyError(cause).message;
      throw new ProxyError('config_invalid', `trust.${name}.file: ${path} cannot be used: ${reason}`, {
        cause,
      });
    }
  }
  return all;
}
