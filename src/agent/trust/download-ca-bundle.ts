// downloadCaBundle of the library: whether the bundle is there now, in one word, for callers that go on either way.

import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { type OptionForm, requireKnownOptions, thing } from '../../protocol/known-options.ts';
import { type Logger, standardErrorLogger } from '../../system/logger.ts';
import { writeCaBundle, writeCaBundleForms, type WriteCaBundleOptions } from './trust.ts';

export interface DownloadCaBundleOptions extends Omit<WriteCaBundleOptions, 'etag'> {
  /** Default: warnings to standard error. */
  readonly logger?: Logger;
}

const { etag: _, ...shared } = writeCaBundleForms;
const forms = { ...shared, logger: thing } satisfies Record<keyof DownloadCaBundleOptions, OptionForm>;

/**
 * Fetches the gateway's CA certificates, appends them to the system bundle and writes the whole to `outPath`, as
 * `writeCaBundle` does. Resolves to true once it is written, and to false, with a warning and with what was at `outPath`
 * untouched, when it is not. Rejects with config_invalid for options that are none.
 */
export async function downloadCaBundle(
  baseUrl: string,
  systemCaPath: string | undefined,
  outPath: string,
  options: DownloadCaBundleOptions = {},
): Promise<boolean> {
  requireKnownOptions('downloadCaBundle', options, forms);
  for (const [name, value] of Object.entries({ baseUrl, outPath })) {
    if (typeof value !== 'string' || value === '')
      throw new ProxyError('config_invalid', `downloadCaBundle: ${name} must be a text that is not empty`);
  }
  const { logger = standardErrorLogger, ...rest } = options;
  try {
    const { systemBundle } = await writeCaBundle(baseUrl, systemCaPath, outPath, rest);
    if (!systemBundle)
      logger.warn('no system CA bundle was found; the CA bundle holds the certificates of the gateway alone');
    return true;
  } catch (error) {
    const { code, message } = asProxyError(error);
    logger.warn(`the CA bundle was not written: ${message} [${code}]`);
    return false;
  }
}
