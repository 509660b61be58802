// PHP: an ini file of its own folder for the trust, and a script before each program for the proxy of its streams.

/** Where the files are; PHP reads the ini file through PHP_INI_SCAN_DIR. */
export interface PhpFiles {
  readonly bundle: string;
  readonly prepend: string;
}

export function phpIni({ bundle, prepend }: PhpFiles): string {
  return [
    '; Written by upstreamproxy for one session.',
    `openssl.cafile=${JSON.stringify(bundle)}`,
    `curl.cainfo=${JSON.stringify(bundle)}`,
    `auto_prepend_file=${JSON.stringify(prepend)}`,
    '',
  ].join('\n');
}

/**
 * The script. PHP's cURL reads the proxy from the environment by itself, its streams (`file_get_contents`, `fopen`, SOAP)
 * from their context only. A script that the user's own configuration would have run follows, for there can be one.
 */
export const phpPrepend = `<?php
// Written by upstreamproxy: the proxy for streams without a context of their own.
(static function (): void {
    // The default context has no exceptions, so where connections are led anyway loopback is better left alone.
    if (getenv('UPSTREAMPROXY_CAPTURE') === '1') {
        return;
    }
    $proxy = parse_url(getenv('http_proxy') ?: '');
    if (!is_array($proxy) || ($proxy['scheme'] ?? '') !== 'http' || !isset($proxy['host'])) {
        return;
    }
    $address = 'tcp://' . $proxy['host'] . ':' . ($proxy['port'] ?? 80);
    stream_context_set_default(['http' => ['proxy' => $address, 'request_fulluri' => true]]);
})();
// The last configuration that names a script would have been the one in force.
$upstreamproxy_prepend = (static function (): string {
    $files = explode(',', (string) php_ini_scanned_files());
    array_unshift($files, (string) php_ini_loaded_file());
    $named = '';
    foreach (array_filter(array_map('trim', $files)) as $file) {
        if (dirname($file) === __DIR__) {
            continue;
        }
        $values = @parse_ini_file($file, false, INI_SCANNER_RAW);
        $named = is_array($values) ? (string) ($values['auto_prepend_file'] ?? $named) : $named;
    }
    return strtolower($named) === 'none' ? '' : $named;
})();
if ($upstreamproxy_prepend !== '') {
    require $upstreamproxy_prepend;
}
unset($upstreamproxy_prepend);
`;
