// Programs that are written in Python.

import type { ClientCheck } from '../check.ts';

const keys = {
  AWS_ACCESS_KEY_ID: 'placeholder',
  AWS_SECRET_ACCESS_KEY: 'placeholder',
  AWS_EC2_METADATA_DISABLED: 'true',
};

export const pythonProgramChecks: readonly ClientCheck[] = [
  {
    id: 'poetry',
    client: 'poetry',
    version: ['/usr/bin/poetry', '--version'],
    needs: ['/usr/bin/poetry'],
    how: 'https_proxy; REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE',
    files: {
      'pyproject.toml': `[tool.poetry]
name = "project"
version = "1.0.0"
description = ""
authors = []
package-mode = false
[tool.poetry.dependencies]
python = ">=3.8"
example-package = "1.0.0"
[[tool.poetry.source]]
name = "fixture"
url = "@https:pypi@/simple/"
priority = "primary"
`,
    },
    env: {
      POETRY_CACHE_DIR: '@dir@/cache',
      POETRY_VIRTUALENVS_IN_PROJECT: 'true',
      POETRY_VIRTUALENVS_OPTIONS_NO_PIP: 'true',
      PYTHON_KEYRING_BACKEND: 'keyring.backends.null.Keyring',
    },
    command: [
      'sh',
      '-ec',
      `/usr/bin/poetry install --no-interaction
       .venv/bin/python -c 'import example_package; print(example_package.HELLO)'`,
    ],
    expect: /hello from pypi/,
  },
  {
    id: 'ansible',
    client: 'ansible',
    version: ['/usr/bin/ansible', '--version'],
    needs: ['/usr/bin/ansible'],
    how: 'https_proxy; SSL_CERT_FILE',
    env: {
      ANSIBLE_PYTHON_INTERPRETER: '/usr/bin/python3',
      ANSIBLE_LOCALHOST_WARNING: 'false',
      ANSIBLE_REMOTE_TEMP: '@dir@',
    },
    command: [
      '/usr/bin/ansible',
      'localhost',
      '-m',
      'ansible.builtin.uri',
      '-a',
      'url=@https:web@/hello return_content=true',
    ],
    expect: /hello from web/,
  },
  {
    id: 'aws',
    client: 'aws',
    version: ['/usr/bin/aws', '--version'],
    needs: ['/usr/bin/aws'],
    how: 'https_proxy; AWS_CA_BUNDLE or REQUESTS_CA_BUNDLE',
    env: keys,
    command: [
      '/usr/bin/aws',
      '--region',
      'us-east-1',
      '--endpoint-url',
      '@https:s3@',
      's3',
      'cp',
      's3://example-bucket/hello.txt',
      '-',
    ],
    expect: /hello from s3/,
  },
  {
    id: 'az',
    client: 'az',
    version: ['/usr/bin/az', 'version'],
    needs: ['/usr/bin/az'],
    how: 'https_proxy; REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE',
    env: { AZURE_CORE_COLLECT_TELEMETRY: 'no' },
    command: [
      '/usr/bin/az',
      'rest',
      '--skip-authorization-header',
      '--method',
      'get',
      '--url',
      '@https:web@/json',
    ],
    expect: /"hello": "web"/,
    timeoutMs: 120_000,
  },
];
