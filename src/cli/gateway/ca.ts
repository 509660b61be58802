// `upstreamproxy ca show`: the certificates that clients behind the gateway must trust.

import { X509Certificate } from 'node:crypto';

import { pinOf } from '../../agent/uplink/gateway-pin.ts';
import { openCertificateAuthority } from '../../pki/certificate-authority.ts';
import { javaKeyStore } from '../../pki/java-key-store.ts';
import { pemContents, splitPemCertificates } from '../../pki/pem.ts';
import { pkcs12TrustStore } from '../../pki/pkcs12-trust-store.ts';
import { openServerIdentity } from '../../pki/server-identity.ts';
import { ProxyError } from '../../protocol/error.ts';
import { join } from 'node:path';
import { choiceOption, parseOptions, type Command } from '../terminal/command.ts';
import { gatewayOfOptions, gatewayPlaceOptions, gatewayPlaceUsage } from './gateway-configuration.ts';

const usage = `upstreamproxy ca show --config FILE [--server] [--summary | --format FORM]

Prints the certificates of the authority that signs for intercepted hosts, as PEM. They are made on first use.

${gatewayPlaceUsage}  --server              instead, what an agent pins as --gateway-ca: the authority of the gateway's own port
  --format FORM         pem (default), or, for images that are made without an agent, a store of Java with the
                        password changeit: jks or pkcs12
  --summary             subject, validity, SHA-256 fingerprint and pin of the key instead of PEM
`;

function summary(pem: string): string {
  return splitPemCertificates(pem)
    .map((text) => {
      const certificate = new X509Certificate(text);
      const subject = certificate.subject.replaceAll('\n', ', ');
      return `${subject}\n  valid  ${certificate.validFrom} to ${certificate.validTo}\n  sha256 ${certificate.fingerprint256}\n  pin    ${pinOf(certificate)}\n`;
    })
    .join('');
}

/** Java opens none without a password. */
const storePassword = 'changeit';

function inForm(pem: string, format: 'pem' | 'jks' | 'pkcs12'): string | Uint8Array {
  if (format === 'pem') return pem;
  const certificates = splitPemCertificates(pem).map(pemContents);
  if (format === 'pkcs12') return pkcs12TrustStore(certificates, storePassword);
  return javaKeyStore(certificates, storePassword, 0);
}

async function ca(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions('ca', args, {
    ...gatewayPlaceOptions,
    server: { type: 'boolean' },
    summary: { type: 'boolean' },
    format: { type: 'string' },
  });
  const format = choiceOption('format', values.format, ['pem', 'jks', 'pkcs12']);
  if (values.summary === true && format !== 'pem')
    throw new ProxyError('usage', 'a summary is text: leave --summary or --format away');
  if (positionals.join(' ') !== 'show')
    throw new ProxyError('usage', 'what about the authority? upstreamproxy ca show');
  const config = await gatewayOfOptions(values);
  const nowMs = Date.now();
  let pem: string;
  if (values.server !== true) {
    pem = (await openCertificateAuthority(config.certificateAuthority.directory, { nowMs })).certificatesPem;
  } else if (config.tls === 'self') {
    pem = (
      await openServerIdentity(join(config.stateDirectory, 'server'), { names: config.publicNames, nowMs })
    ).caPem;
  } else {
    throw new ProxyError(
      'usage',
      `the certificate of the gateway's port is your own, ${config.tls.certificate}; pin its authority`,
    );
  }
  process.stdout.write(values.summary === true ? summary(pem) : inForm(pem, format));
  return 0;
}

export const caCommand: Command = { usage, run: ca };
