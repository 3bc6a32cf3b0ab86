# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Certificates for the end-to-end tests of TLS, made by openssl. Source it after cluster.sh.
#
#   authority_new DIR NAME                 an authority: DIR/ca.pem, DIR/ca.key
#   certificate_new DIR NAME AUTHORITY     DIR/cert.pem, DIR/key.pem, and the authority's ca.pem

authority_new() {
  mkdir -p "$1"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj "/CN=$2" -addext 'basicConstraints=critical,CA:TRUE' \
    -addext 'keyUsage=critical,keyCertSign,cRLSign' \
    -keyout "$1/ca.key" -out "$1/ca.pem" 2>"$DIR/openssl.log" || fail "openssl"
}

certificate_new() {
  mkdir -p "$1"
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" \
    -keyout "$1/key.pem" -out "$1/cert.csr" 2>"$DIR/openssl.log" || fail "openssl"
  printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' >"$1/cert.ext"
  openssl x509 -req -in "$1/cert.csr" -CA "$3/ca.pem" -CAkey "$3/ca.key" -days "${4:-2}" \
    -CAcreateserial -extfile "$1/cert.ext" -out "$1/cert.pem" 2>"$DIR/openssl.log" || fail "openssl"
  cp "$3/ca.pem" "$1/ca.pem"
}

# The same under the names that libnbd and qemu look for.
certificate_for_clients() {
  cp "$1/ca.pem" "$1/ca-cert.pem"
  cp "$1/cert.pem" "$1/client-cert.pem"
  cp "$1/key.pem" "$1/client-key.pem"
}
