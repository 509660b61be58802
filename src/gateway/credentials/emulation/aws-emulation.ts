// Where libraries of AWS look for keys: the addresses of containers (ECS, EKS) and of the metadata service of machines. What they get is
// placeholders with an end; they sign with them, and the gateway signs again with the keys that it has.

import { defaultLimits } from '../../../protocol/limits.ts';
import type { EmulatedRequest, EmulatedResponse, Emulation } from './emulations.ts';

export interface AwsEmulationSettings {
  /** What stands in the place of key id, secret and token. */
  readonly placeholder: string;
  /** Where the workload is told to be. */
  readonly region: string | undefined;
}

const ecsAddress = '169.254.170.2';
const eksAddress = '169.254.170.23';
const machineAddress = '169.254.169.254';
/** At the gateway's own name. An agent gives the workload the address of its relay instead, which every library takes. */
const containerKeysPath = '/identity/aws/credentials';
const roleName = 'upstreamproxy';

export function awsEmulation({ placeholder, region }: AwsEmulationSettings, ownHost: string): Emulation {
  return {
    hosts: [ecsAddress, eksAddress, machineAddress],
    variables: {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://${ownHost}${containerKeysPath}`,
      ...(region === undefined ? {} : { AWS_REGION: region, AWS_DEFAULT_REGION: region }),
    },
    respond: (request) => {
      const { host, path } = request;
      if (host === machineAddress) return ofMachine(request, { placeholder, region });
      if (host === ecsAddress || host === eksAddress || path === containerKeysPath)
        return read(request, () => json(keys(placeholder, request.nowMs)));
      return undefined;
    },
  };
}

/** In the second version of the service a token is asked for first. It keeps nobody out here, for there is nothing to get. */
function ofMachine(
  request: EmulatedRequest,
  { placeholder, region }: AwsEmulationSettings,
): EmulatedResponse | undefined {
  const rest = /^\/latest\/(.*)$/.exec(request.path)?.[1];
  switch (rest) {
    case 'api/token': {
      const ttl = request.field('x-aws-ec2-metadata-token-ttl-seconds') ?? '';
      if (request.method !== 'PUT') return plain(405, 'a token is asked for with PUT');
      if (!/^\d{1,5}$/.test(ttl)) return plain(400, 'a token needs X-aws-ec2-metadata-token-ttl-seconds');
      return { ...plain(200, placeholder), headers: { 'x-aws-ec2-metadata-token-ttl-seconds': ttl } };
    }
    case 'meta-data/iam/security-credentials':
    case 'meta-data/iam/security-credentials/':
      return read(request, () => plain(200, roleName));
    case `meta-data/iam/security-credentials/${roleName}`:
      return read(request, () =>
        json({ Code: 'Success', Type: 'AWS-HMAC', ...keys(placeholder, request.nowMs) }),
      );
    case 'meta-data/placement/region':
      return region === undefined ? undefined : read(request, () => plain(200, region));
    case 'dynamic/instance-identity/document':
      return region === undefined ? undefined : read(request, () => json({ region }));
    default:
      return undefined;
  }
}

function keys(placeholder: string, nowMs: number): Readonly<Record<string, string>> {
  const time = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}/, '');
  return {
    AccessKeyId: placeholder,
    SecretAccessKey: placeholder,
    Token: placeholder,
    LastUpdated: time(nowMs),
    Expiration: time(nowMs + defaultLimits.placeholderKeysMs),
  };
}

function read({ method }: EmulatedRequest, respond: () => EmulatedResponse): EmulatedResponse {
  return method === 'GET' || method === 'HEAD' ? respond() : plain(405, 'this is only read');
}

function json(body: object): EmulatedResponse {
  return { status: 200, type: 'application/json', text: JSON.stringify(body) };
}

function plain(status: number, text: string): EmulatedResponse {
  return { status, type: 'text/plain; charset=utf-8', text };
}
