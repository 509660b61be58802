// Images, clusters and object stores.

import type { ClientCheck } from '../check.ts';

const trust = 'https_proxy; SSL_CERT_FILE';
const image = '@authority:oci@/example/image:latest';
const keys = { AWS_ACCESS_KEY_ID: 'placeholder', AWS_SECRET_ACCESS_KEY: 'placeholder' };

/** Folders of their own, and what needs no privilege. */
const storage = {
  'storage.conf': '[storage]\ndriver = "vfs"\nrunroot = "@dir@/run"\ngraphroot = "@dir@/graph"\n',
  'policy.json': '{"default":[{"type":"insecureAcceptAnything"}]}',
  'registries.conf': '',
};
const storageEnvironment = {
  CONTAINERS_STORAGE_CONF: '@dir@/storage.conf',
  CONTAINERS_REGISTRIES_CONF: '@dir@/registries.conf',
  TMPDIR: '@dir@',
  PODMAN_IGNORE_CGROUPSV1_WARNING: '1',
};

const refused = {
  outcome: 'fail',
  reason: 'it makes namespaces and roots of its own; upstreamproxy doctor prints the layers to leave out',
} as const;
const refusedByJail = { capture: refused, root: refused, user: refused };

export const containerChecks: readonly ClientCheck[] = [
  {
    id: 'kubectl',
    client: 'kubectl',
    version: ['kubectl', 'version', '--client'],
    needs: ['kubectl'],
    how: 'https_proxy; SSL_CERT_FILE if the kubeconfig names no CA',
    command: [
      'kubectl',
      '--server=@https:kube@',
      '--cache-dir=@dir@',
      '--token=placeholder',
      'get',
      'namespaces',
      '--output=name',
    ],
    expect: /^namespace\/hello-from-kube$/m,
  },
  {
    id: 'skopeo',
    client: 'skopeo',
    version: ['skopeo', '--version'],
    needs: ['skopeo'],
    how: trust,
    files: storage,
    env: storageEnvironment,
    command: [
      'sh',
      '-c',
      `skopeo --policy policy.json copy docker://${image} dir:@dir@/image && cat image/manifest.json`,
    ],
    expect: /schemaVersion/,
  },
  {
    id: 'docker-manifest',
    client: 'docker manifest inspect',
    version: ['docker', '--version'],
    needs: ['docker'],
    how: trust,
    command: ['docker', '--config', '@dir@', 'manifest', 'inspect', image],
    expect: /schemaVersion/,
  },
  {
    id: 'podman-pull',
    client: 'podman pull',
    version: ['podman', '--version'],
    needs: ['podman'],
    how: trust,
    files: storage,
    env: storageEnvironment,
    command: ['podman', 'pull', '--signature-policy', 'policy.json', image],
    // The number of the image that was stored.
    expect: /^[0-9a-f]{64}$/m,
    expected: refusedByJail,
  },
  {
    id: 'buildah',
    client: 'buildah',
    version: ['buildah', '--version'],
    needs: ['buildah'],
    how: trust,
    files: storage,
    env: storageEnvironment,
    command: ['sh', '-c', `buildah pull --quiet --signature-policy policy.json ${image} && buildah images`],
    expect: /example\/image\s+latest/,
    expected: refusedByJail,
  },
  {
    id: 'oras',
    client: 'oras',
    version: ['oras', 'version'],
    needs: ['oras'],
    how: trust,
    command: ['sh', '-c', `oras copy --to-oci-layout ${image} layout:latest && cat layout/index.json`],
    expect: /Copied[^]*schemaVersion/,
  },
  {
    id: 'rclone',
    client: 'rclone',
    version: ['rclone', '--version'],
    needs: ['rclone'],
    how: 'https_proxy; SSL_CERT_FILE; AWS_CA_BUNDLE unset',
    env: keys,
    command: [
      'rclone',
      '--retries=1',
      '--low-level-retries=1',
      'cat',
      ':s3,provider=Other,env_auth=true,endpoint="@https:s3@":example-bucket/hello.txt',
    ],
    expect: /hello from s3/,
  },
  {
    id: 'restic',
    client: 'restic',
    version: ['restic', 'version'],
    needs: ['restic'],
    how: trust,
    env: { ...keys, RESTIC_PASSWORD: 'placeholder', RESTIC_CACHE_DIR: '@dir@/cache' },
    command: ['restic', '-r', 's3:@https:s3@/example-bucket/restic-@serial@', 'init'],
    expect: /created restic repository/,
  },
  {
    id: 's3cmd',
    client: 's3cmd',
    version: ['/usr/bin/s3cmd', '--version'],
    needs: ['/usr/bin/s3cmd'],
    how: '~/.s3cfg (proxy and CA), or capture',
    homeFiles: ['environment'],
    command: [
      'sh',
      '-c',
      `/usr/bin/s3cmd --access_key=placeholder --secret_key=placeholder --host=@authority:s3@ --host-bucket=@authority:s3@ get s3://example-bucket/hello.txt out && cat out`,
    ],
    expect: /hello from s3/,
  },
];
