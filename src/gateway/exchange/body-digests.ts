// Fields of a request that speak of the octets of its body.

export const bodyDigestFields =
  /^(?:content-md5|digest|content-digest|repr-digest|x-amz-content-sha256|x-amz-checksum-.*|x-goog-hash|x-ms-content-crc64|x-ms-blob-content-md5|signature|signature-input|x-amz-trailer)$/i;
