"""A certificate to log in with: key and certificate are made here, Entra gets the certificate alone."""

from datetime import UTC, date, datetime

import pulumi
import pulumi_azuread as azuread
import pulumi_tls as tls

_BITS = 3072


class LoginCertificate:
    """A certificate that ends on a day; `pem`: key and certificate in one text, a secret.

    The key lies in the state, encrypted as every secret there.
    """

    def __init__(
        self, name: str, app: azuread.Application, subject: str, until: date, opts: pulumi.ResourceOptions
    ) -> None:
        key = tls.PrivateKey(f"{name}-key", algorithm="RSA", rsa_bits=_BITS, opts=opts)
        # Hours count from the day on which it is made; afterwards they would be fewer, and it made anew.
        kept = pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(ignore_changes=["validityPeriodHours"])
        )
        made = tls.SelfSignedCert(
            name,
            private_key_pem=key.private_key_pem,
            subject=tls.SelfSignedCertSubjectArgs(common_name=subject),
            validity_period_hours=24 * (until - datetime.now(UTC).date()).days,
            allowed_uses=["digital_signature", "client_auth"],
            opts=kept,
        )
        azuread.ApplicationCertificate(
            f"{name}-registered",
            application_id=app.id,
            type="AsymmetricX509Cert",
            encoding="pem",
            value=made.cert_pem,
            end_date=made.validity_end_time,
            opts=opts,
        )
        self.pem: pulumi.Output[str] = pulumi.Output.secret(
            pulumi.Output.concat(key.private_key_pem_pkcs8, made.cert_pem)
        )
